#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""Does scripts/run-tests notice every way in which a test can go wrong?"""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, "scripts/lib")
sys.dont_write_bytecode = True
from tap import check, done, same  # noqa: E402

TMP = pathlib.Path(os.environ["TEST_TMP"])

# What a test does (as a shell script), the expected last line, words in the output.
CASES = {
    "passes": ("echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..2", "2 passed, 0 failed", ""),
    "plan-first": ("echo 1..1; echo 'ok 1 - a'", "1 passed, 0 failed", ""),
    "windows-lines": ("printf 'ok 1 - a\\r\\n1..1\\r\\n'", "1 passed, 0 failed", ""),
    "fails": ("echo 'not ok 1 - the name'; echo '# why'; echo 1..1; exit 1",
              "0 passed, 1 failed", "# why"),
    "fails-and-exits-0": ("echo 'not ok 1 - a'; echo 1..1", "0 passed, 1 failed", "not ok 1"),
    "skips": ("echo 'ok 1 - a'; echo 'ok 2 - b # SKIP no disk'; echo 1..2",
              "1 passed, 0 failed, 1 skipped", "no disk"),
    "too-few": ("echo 'ok 1 - a'; echo 1..2", "1 passed, 1 failed", "planned 2 checks, made 1"),
    "too-many": ("echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..1",
                 "2 passed, 1 failed", "planned 1 checks, made 2"),
    "no-plan": ("echo 'ok 1 - a'", "1 passed, 1 failed", "no plan"),
    "nothing": ("true", "0 passed, 1 failed", "no plan"),
    "no-check": ("echo 1..0", "0 passed, 1 failed", "no check"),
    "exit-status": ("echo 'ok 1 - a'; echo 1..1; exit 3", "1 passed, 1 failed", "exit status 3"),
    "crash": ("echo 'ok 1 - a'; echo 1..1; kill -SEGV $$", "1 passed, 1 failed", "SIGSEGV"),
    "bail-out": ("echo 'ok 1 - a'; echo 1..1; echo 'Bail out! no disk'",
                 "1 passed, 1 failed", "no disk"),
    "hangs": ("echo 'ok 1 - a'; sleep 60", "1 passed, 1 failed", "killed after 2 s"),
    "stderr-between": ("printf 'o'; echo 'wine: says something' >&2; echo 'k 1 - a'; echo 1..1",
                       "1 passed, 0 failed", ""),
    "stderr-shown": ("echo 'not ok 1 - a'; echo 1..1; echo 'why it is so' >&2", "0 passed, 1 failed",
                     "stderr: why it is so"),
    "leaves-a-process": ("sleep 60 & echo 'ok 1 - a'; echo 1..1", "1 passed, 0 failed", ""),
    "leaves-odd-files": ("mkdir -p $TEST_TMP/a/b; chmod 0 $TEST_TMP/a; echo 'ok 1 - a'; echo 1..1",
                         "1 passed, 0 failed", ""),
    "reads": ("cat; echo 'ok 1 - a'; echo 1..1", "1 passed, 0 failed", ""),
    # By way of the conformance suite's filter
    "suite-twice": ("printf 'ok 1 - a\\n1..1\\nok 1 - b\\n1..1\\n' | conformance/limits.py", "2 passed, 0 failed", ""),
    "suite-not-started": ("true | conformance/limits.py", "0 passed, 1 failed", "no plan"),
    "not-executable": (None, "0 passed, 1 failed", "can't be started"),
}


# Root as somebody whom permissions bind.
BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search",
         "--inh-caps=-dac_override,-dac_read_search"]


def run(*args, build="build", by=()):
    done = subprocess.run([*by, "scripts/run-tests", "--timeout", "2", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          env=dict(os.environ, BUILD=build))
    return done.returncode, done.stdout


def recorded():
    """--record: the commit and the count, where nothing but a commit was tested."""
    top = TMP / "checkout"
    shutil.copytree("scripts", top / "scripts")
    (top / ".gitignore").write_text("build\n__pycache__\n")
    (top / "t").write_text("#!/bin/sh\n# run-tests: no-wine\necho 'ok 1 - a'; echo 1..1; . ./also\n")
    (top / "also").write_text("")
    (top / "t").chmod(0o755)

    def git(*args):
        return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=top, check=True,
                              capture_output=True, text=True).stdout.strip()

    record = top / "build/checked"
    for also, clean, want in (("", True, "1 passed, 0 failed"), ("exit 3", True, "1 passed, 1 failed"),
                               ("touch new", True, None), ("", False, None)):
        record.unlink(missing_ok=True)
        (top / "also").write_text(also)
        git("init", "-q")
        git("add", "-A")
        git("commit", "-qm", "x", "--allow-empty")
        if not clean:
            (top / "also").write_text("# changed\n")
        subprocess.run(["scripts/run-tests", "--record", record, "script:t"], cwd=top, check=False,
                       capture_output=True, env={k: v for k, v in os.environ.items() if k != "BUILD"})
        got = record.read_text() if record.exists() else None
        same(got, want and f"{git('rev-parse', 'HEAD')} {want}\n",
             f"--record, the test does '{also}'" + ("" if clean else ", something isn't committed"))


def main():
    specs = []
    for name, (body, last, words) in CASES.items():
        path = TMP / name
        path.write_text(f"#!/bin/sh\n# run-tests: no-wine\n{body}\n")
        if body is not None:
            path.chmod(0o755)
        specs.append(f"script:{path}")
        status, output = run(specs[-1])
        lines = output.splitlines() or [""]
        check(lines[-1] == last, f"{name}: the last line is '{last}'", output)
        check(words in output, f"{name}: the output tells '{words}'", output)
        check(status == (0 if ", 0 failed" in last else 1), f"{name}: exit status {status}")

    if os.geteuid() == 0:
        status, output = run(f"script:{TMP}/leaves-odd-files", by=BOUND)
        check(output.splitlines()[-1] == "1 passed, 0 failed" and "stays" not in output,
               "what a test left and can't be opened is removed", output)
    mortal = TMP / "mortal"
    mortal.write_text("#!/bin/sh\n# run-tests: no-wine\nfor s in INT TERM HUP; do "
                      "sh -c \"kill -$s \\$\\$; echo not ok - SIG$s is ignored\"; done\n"
                      "echo ok - here; echo 1..1\n")
    mortal.chmod(0o755)
    status, output = run(f"script:{mortal}", by=["env", "--ignore-signal=INT,TERM,HUP"])
    check(output.splitlines()[-1] == "1 passed, 0 failed",
           "signals that are ignored here end what a test starts", output)
    chosen = [spec for spec in specs if "/pass" in spec or "/skip" in spec or "/plan" in spec]
    status, output = run(*chosen)
    check(output.splitlines()[-1] == "4 passed, 0 failed, 1 skipped", "several programs", output)
    part = TMP / "part"
    part.write_text("#!/bin/sh\n# run-tests: no-wine\necho \"ok 1 - part $1\"; echo 1..1; exit ${1%/*}\n")
    part.chmod(0o755)
    status, output = run(f"script:{part}+0/2", f"script:{part}+1/2")
    check(output.splitlines()[-1] == "2 passed, 1 failed" and f"{part} 1/2: 1 passed" in output,
           "parts of a program", output)
    plain = TMP / "plain"
    plain.write_text("#!/bin/sh\n# run-tests: no-wine\n# run-tests: plain\necho 'ok 1 - a'; echo 1..1\n")
    plain.chmod(0o755)
    for build, last in (("build", "2 passed, 0 failed"), ("build/sanitize", "1 passed, 0 failed")):
        status, output = run(f"script:{plain}", f"script:{TMP}/plan-first", build=build)
        check(output.splitlines()[-1] == last, f"a plain script, BUILD={build}", output)
    recorded()
    status, output = run()
    check(status == 1, "no test at all is a failure", output)
    done()


if __name__ == "__main__":
    main()
