#ifndef WAYBILL_CMOSQUITTO_H
#define WAYBILL_CMOSQUITTO_H

#include <stdbool.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>

#endif
