#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""no_room.py OFFSET COMMAND...: runs it; the kernel has no room for what pwrite() is to write at
OFFSET of a file or behind it. (A filter of system calls: also where nobody may mount a file system
that is full.)"""
import ctypes
import errno
import os
import struct
import sys

LD, JEQ, JGE, RET = 0x20, 0x15, 0x35, 0x06      # of BPF, each on words of 32 bits
PWRITE64, NUMBER, FOURTH = 18, 0, 16 + 3 * 8    # the number's place, the fourth argument's
ALLOW, ERRNO = 0x7fff0000, 0x00050000
NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2

program = b"".join(struct.pack("HBBI", *i) for i in (
    (LD, 0, 0, NUMBER), (JEQ, 0, 3, PWRITE64), (LD, 0, 0, FOURTH), (JGE, 0, 1, int(sys.argv[1])),
    (RET, 0, 0, ERRNO | errno.ENOSPC), (RET, 0, 0, ALLOW)))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


prctl = ctypes.CDLL(None).prctl
if prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or \
        prctl(SECCOMP, FILTER, ctypes.byref(Program(len(program) // 8, program)), 0, 0):
    sys.exit("no filter of system calls here")
os.execvp(sys.argv[2], sys.argv[2:])
