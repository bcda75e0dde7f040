#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""make doc: the reference has every function, and no warning; and a mistake in a header is one."""

import glob
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
TOP = os.path.abspath(os.environ.get("TOP", os.getcwd()))
sys.path.insert(0, os.path.join(TOP, "scripts/lib"))
from tap import check, done, same, skip  # noqa: E402

TREE = os.path.join(os.path.abspath(os.environ["TEST_TMP"]), "tree")
HTML = os.path.join(TREE, "build/doc/html")
MISTAKES = (
    ("a parameter that isn't there", "include/libcim.h", "@path:  the filesystem file",
     "@paht:  the filesystem file", "paht"),
    ("a member that isn't there", "include/libcim.h", "@sparse: it is", "@spares: it is",
     "@spares is no member"),
    ("a function without a comment", "include/libcim.h",
     "/** cim_iter_close() - end an iteration; NULL is fine */", "", "without a comment"),
    ("a link that leads nowhere", "cimfs_shim/doc/reference.dox", "@ref libcim_env_h",
     "@ref libcim_evn_h", "libcim_evn_h"),
    ("a document that nothing leads to", "cimfs_shim/doc/reference.dox", 'href="wine.md"',
     'href="wine.html"', "wine.md"),
    ("an example that nothing leads to", "cimfs_shim/doc/reference.dox", "@ref extract.py", "",
     "extract.py"),
)


def read(name):
    with open(os.path.join(TREE, name), encoding="utf-8") as file:
        return file.read()


def write(name, text):
    with open(os.path.join(TREE, name), "w", encoding="utf-8") as file:
        file.write(text)


def make(**env):
    return subprocess.run([sys.executable, os.path.join(TREE, "scripts/doc")], text=True,
                          capture_output=True, env=dict(os.environ, **env), check=False)


for name in ("include", "cimfs_shim/doc"):
    shutil.copytree(os.path.join(TOP, name), os.path.join(TREE, name))
os.mkdir(os.path.join(TREE, "scripts"))
for name in ("README.md", "scripts/doc"):
    shutil.copy(os.path.join(TOP, name), os.path.join(TREE, name))

end = make(PATH="/nowhere")
same((end.returncode, end.stdout, end.stderr),
     (1, "", "scripts/doc: doxygen is missing: run scripts/setup\n"), "what is missing is told")
if not shutil.which("doxygen"):
    skip("the reference", "doxygen is not installed")
    done()

end = make(VERSION="1.2.3")
same((end.returncode, end.stdout, end.stderr), (0, "build/doc/html/index.html\n", ""),
     "it is made without a warning")
index = read("build/doc/html/index.html")
check("1.2.3" in index, "the main page has the version")
links = {link for link in re.findall(r'href="([^"#]+)', index) if ":" not in link}
missing = sorted(link for link in links if not os.path.exists(os.path.join(HTML, link)))
check(len(links) > 20 and not missing, "what it leads to is there", "\n".join(missing))
pages = "".join(read(page) for page in glob.glob(os.path.join(HTML, "group__*.html")))
for header in sorted(os.listdir(os.path.join(TREE, "include"))):
    functions = re.findall(r"^(?:CIM_API|CIMFSAPI(?:_\(\w+\))?)\s[^;(]*?(\w+)\(", read("include/" + header), re.M)
    missing = [f for f in functions if not re.search(r">%s</a>" % f, pages)]
    check(functions and not missing, "%s: each of its %d functions is in it" %
          (header, len(functions)), "\n".join(missing))

for what, name, right, wrong, says in MISTAKES:
    text = read(name)
    check(text.count(right) == 1, "%s: it can be made" % what, text.count(right))
    write(name, text.replace(right, wrong))
    end = make()
    check(end.returncode == 1 and says in end.stderr, "and is told",
          "%d: %s" % (end.returncode, end.stderr))
    write(name, text)
done()
