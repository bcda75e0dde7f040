# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of cimtool share: running it."""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "../../../scripts/lib")]
import defaultsignals  # noqa: E402
from tap import check, done, same, skip  # noqa: E402,F401

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
CIMTOOL = os.path.join(BUILD, "cimtool")
TMP = os.path.abspath(os.environ["TEST_TMP"])
TIMEOUT = 120
NOBODY = 65534

defaultsignals.let_all_that_is_started_have_them()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return self.out.decode("utf-8", "replace")

    @property
    def errors(self):
        return self.err.decode("utf-8", "replace")

    def __str__(self):
        return "exit code %s\n%s%s" % (self.code, self.text[-2000:], self.errors[-2000:])


def run(command, cwd=None, env=None, data=None, **more):
    """Run a command; a Result. A sanitizer's report is a crash."""
    full = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC0")
    full.update(env or {})
    try:
        end = subprocess.run(command, cwd=cwd or TMP, env=full, input=data or b"",
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT,
                             **more)
    except subprocess.TimeoutExpired:
        return Result(None, b"", b"timed out after %d s" % TIMEOUT)
    code = end.returncode
    err = end.stderr
    if os.environ.get("COVERAGE"):  # LLVM's own word where there are no locks
        err = b"".join(line for line in err.splitlines(True) if b"LLVM Profile Warning" not in line)
    if b"Sanitizer" in end.stderr or b"runtime error" in end.stderr:
        code = -1000
    return Result(code, end.stdout, err)


def tool(*args, **more):
    return run([CIMTOOL, *args], **more)


def faulty(fault, *args, **names):
    """cimtool where that is so; faults.c tells of what."""
    asan = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
    return tool(*args, env=dict(names, FAULT=fault, ASAN_OPTIONS=asan,
                                LD_PRELOAD=os.path.join(BUILD, "tests", "faults.so")))


def expect(code, name, *args, **more):
    """Run cimtool and check its exit code; the Result."""
    result = tool(*args, **more)
    check(result.code == code, name, "want exit code %s\n%s" % (code, result))
    return result


def plain_user():
    """What a command begins with that is run by a user whom permissions bind, and None; or why there
    is no such user."""
    if os.geteuid():
        return [], None
    user = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
    if not shutil.which("setpriv"):
        return user, "no setpriv"
    os.chmod(TMP, 0o755)
    # (Not cimtool itself: setpriv still has root's rights when it starts that.)
    for path in (CIMTOOL, TMP):
        if run([*user, "test", "-x", path]).code:
            return user, "user nobody can't reach " + path
    return user, None


def files_of(directory):
    """name -> bytes of the plain files of a directory."""
    found = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as f:
            found[name] = f.read()
    return found


def write(path, data=b"", mode=None, mtime=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    if mode is not None:
        os.chmod(path, mode)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))


def need_tool():
    if not os.path.exists(CIMTOOL):
        print("Bail out! no " + CIMTOOL)
        sys.exit(1)
