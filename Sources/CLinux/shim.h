#ifndef WAYBILL_CLINUX_H
#define WAYBILL_CLINUX_H

/* Linux headers that the Glibc module leaves out. */
#include <fcntl.h>
#include <iconv.h>
#include <linux/magic.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/un.h>

/* Variadic functions are not imported. */
static inline int waybill_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int waybill_fcntl_int(int fd, int command, int argument) { return fcntl(fd, command, argument); }

/* At most 15 bytes. */
static inline void waybill_name_thread(const char *name) { prctl(PR_SET_NAME, name); }

#endif
