# SPDX-License-Identifier: LGPL-2.1-or-later
"""As much of libcim.h as the other examples need, by ctypes."""

import ctypes
import sys
from ctypes import (POINTER, Structure, byref, c_bool, c_char, c_char_p, c_int, c_int64, c_long,
                    c_size_t, c_uint16, c_uint32, c_uint64, c_void_p)

try:
    _lib = ctypes.CDLL("libcim.so.0")
except OSError as error:
    sys.exit("%s (where libcim is not in a directory of the system: building.md 2)" % error)


class _Error(Structure):
    _fields_ = [("status", c_int), ("os_error", c_long), ("op", c_char * 48),
                ("image", c_char * 512), ("path", c_char * 1024), ("cause", c_char * 512)]


class Error(Exception):
    """A call that failed; status is an enum cim_status."""

    def __init__(self, error):
        self.status = error.status
        super().__init__("%s %s: %s" % tuple(
            text.decode(errors="replace")
            for text in (error.op, error.path or error.image, error.cause)))


class Str(Structure):
    """A name or path; utf8 is bytes."""
    _fields_ = [("utf8", c_char_p), ("utf16", POINTER(c_uint16)), ("units", c_size_t)]

    def __init__(self, utf8=b""):
        super().__init__(utf8=utf8, units=len(utf8))


class _Sized(Structure):
    """What CIM_SIZED() is in C."""

    def __init__(self, **members):
        super().__init__(struct_size=ctypes.sizeof(self), **members)


class FileInfo(_Sized):
    _fields_ = [("struct_size", c_size_t), ("file_id", c_uint32), ("parent_id", c_uint32),
                ("attributes", c_uint32), ("flags", c_uint16), ("ea_size", c_uint16),
                ("reparse_tag", c_uint32), ("marks", c_uint32), ("creation_time", c_int64),
                ("last_write_time", c_int64), ("change_time", c_int64),
                ("last_access_time", c_int64), ("size", c_uint64), ("is_directory", c_bool),
                ("is_sparse", c_bool), ("is_pe_image", c_bool), ("has_security", c_bool),
                ("has_ea", c_bool), ("has_reparse", c_bool), ("has_streams", c_bool),
                ("priv", c_uint64 * 7)]


class Data(_Sized):
    _fields_ = [("struct_size", c_size_t), ("size", c_uint64), ("sparse", c_bool), ("pe", c_bool),
                ("priv", c_uint64 * 2)]


class Metadata(_Sized):
    _fields_ = [("struct_size", c_size_t), ("attributes", c_uint32), ("other_flags", c_uint16),
                ("size", c_int64), ("creation_time", c_int64), ("last_write_time", c_int64),
                ("change_time", c_int64), ("last_access_time", c_int64), ("security", c_char_p),
                ("security_size", c_size_t), ("ea", c_char_p), ("ea_size", c_size_t),
                ("reparse", c_char_p), ("reparse_size", c_size_t), ("keep", c_uint32),
                ("keep_attributes", c_uint32)]


class ImageInfo(Structure):
    _fields_ = [("version_major", c_uint32), ("version_minor", c_uint32), ("set_count", c_uint32),
                ("region_count", c_uint32), ("table_count", c_uint32), ("root_id", c_uint32),
                ("source_count", c_uint32)]


class WalkItem(Structure):
    _fields_ = [("entry", c_void_p), ("info", POINTER(FileInfo)), ("path", c_char_p),
                ("dir_id", c_uint32), ("depth", c_uint32)]


def _function(name, *parameters):
    """A function that returns a status: as a Python function that raises an Error."""
    function = getattr(_lib, name)
    function.argtypes = parameters + (POINTER(_Error),)
    function.restype = c_int

    def call(*arguments):
        error = _Error()
        if function(*arguments, byref(error)):
            raise Error(error)

    return call


def _other(name, result, *parameters):
    function = getattr(_lib, name)
    function.argtypes = parameters
    function.restype = result
    return function


ATTR_ARCHIVE = 0x20

image_open = _function("cim_image_open", c_void_p, c_char_p, POINTER(c_void_p))
image_close = _other("cim_image_close", None, c_void_p)
image_get_info = _other("cim_image_get_info", POINTER(ImageInfo), c_void_p)
image_lookup_stream = _function("cim_image_lookup_stream", c_void_p, Str, POINTER(c_uint32),
                                POINTER(Str))
image_get_data = _function("cim_image_get_data", c_void_p, c_uint32, Str, POINTER(Data))
image_read = _function("cim_image_read", c_void_p, POINTER(Data), c_uint64, c_char_p, c_size_t,
                       POINTER(c_size_t))
walk_open = _function("cim_walk_open", c_void_p, c_uint32, POINTER(c_void_p))
walk_next = _function("cim_walk_next", c_void_p, POINTER(POINTER(WalkItem)))
walk_close = _other("cim_walk_close", None, c_void_p)
writer_open = _function("cim_writer_open", c_void_p, c_char_p, c_char_p, c_char_p, c_uint32,
                        POINTER(c_void_p))
writer_add = _function("cim_writer_add", c_void_p, Str, POINTER(Metadata), POINTER(c_void_p))
writer_commit = _function("cim_writer_commit", c_void_p)
writer_close = _other("cim_writer_close", None, c_void_p)
stream_write = _function("cim_stream_write", c_void_p, c_char_p, c_size_t, POINTER(c_size_t))
stream_close = _other("cim_stream_close", None, c_void_p)
