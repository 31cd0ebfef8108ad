#!/usr/bin/env python3
"""Prints what the control socket answers to a path."""
import http.client
import socket
import sys

connection = http.client.HTTPConnection("waybill")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect("/run/waybill/control.sock")
connection.request("GET", sys.argv[1])
print(connection.getresponse().read().decode())
