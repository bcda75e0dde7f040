#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""make doc: the reference has every function, and no warning; and a mistake in a header is one."""

import glob
import html
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
    ("a member without a word", "include/libcim.h", " * @root_id:       FileID of the root directory\n", "",
     "a member without a word: root_id"),
    ("a line that goes on and isn't indented", "include/libcim.h",
     " *               it; trust it for", " * it; trust it for", "isn't indented: it; trust it"),
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


for name in ("include", "cimfs_shim/doc", ".github"):
    shutil.copytree(os.path.join(TOP, name), os.path.join(TREE, name))
os.mkdir(os.path.join(TREE, "scripts"))
for name in ("README.md", "COPYING", "scripts/doc", "scripts/documents"):
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
links = subprocess.run([os.path.join(TOP, "cimfs_shim/tests/citations.py"), "--links", HTML], text=True,
                       capture_output=True, check=False)
same((links.returncode, links.stdout), (0, ""), "and the documents lead to each other")
pages = "".join(read(page) for page in glob.glob(os.path.join(HTML, "group__*.html")))
for header in sorted(os.listdir(os.path.join(TREE, "include"))):
    functions = re.findall(r"^(?:CIM_API|CIMFSAPI(?:_\(\w+\))?)\s[^;(]*?(\w+)\(", read("include/" + header), re.M)
    missing = [f for f in functions if not re.search(r">%s</a>" % f, pages)]
    check(functions and not missing, "%s: each of its %d functions is in it" %
          (header, len(functions)), "\n".join(missing))
    missing = [m for m in re.findall(r"^#define (CIM\w+)\s+[(0-9]", read("include/" + header), re.M)
               if not re.search(r">%s\s*</a>" % m, pages) and not re.search(r"#define %s[^\w]" % m, pages)]
    check(not missing, "and each macro that stands for a number", "\n".join(missing))



def shown(page):
    """What a page shows, in one line."""
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", page)).split())


def no_members(lines):
    """Structures that are shown with something else than the members they have in C."""
    for header in sorted(os.listdir(os.path.join(TREE, "include"))):
        for name, body in re.findall(r"^(?:typedef )?struct (\w+) \{\n(.*?)^\}", read("include/" + header),
                                     re.M | re.S):
            if name == "CIMFS_FILE_ID_128":  # for targets older than the one that is shown
                continue
            body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
            want = [a or b for a, b in re.findall(r"\(\*(\w+)\)\([^;]*;|(\w+)(?:\[\w+\])?;", body)]
            page = read("build/doc/html/struct%s.html" % name.replace("_", "__"))
            got = re.findall(r'class="memname">[^<]*(?:<a [^>]*>[^<]*</a>[^<]*)*?%s::(\w+)' % name, page)
            if got != want:
                lines.append("%s: %s, not %s" % (name, got, want))
    return lines


check(not no_members([]), "each structure has its members, and nothing else", "\n".join(no_members([])))
INFO = shown(read("build/doc/html/structcim__file__info.html"))
PARENT = re.search(r"cim_file_info::parent_id (.*?) ◆", INFO)
same(PARENT and PARENT[1].rstrip("."),
     "FileID of the directory it was created in, 0 where the record is too short to hold it; "
     "trust it for directories only",
     "what is said of a member in two lines is said of it")
MACRO = "CIMFS_FIELD_BYTES_(n):="
SETTINGS = read("cimfs_shim/doc/Doxyfile")
check(MACRO in SETTINGS, "a macro that cimfs.h undefines could be left in", SETTINGS)
write("cimfs_shim/doc/Doxyfile", SETTINGS.replace(MACRO, MACRO.replace(":", "")))
make()
check([line for line in no_members([]) if line.startswith("CIMFS_FILE_METADATA")],
      "and would be seen: the members that it garbles are not in their places")
write("cimfs_shim/doc/Doxyfile", SETTINGS)

for what, name, right, wrong, says in MISTAKES:
    text = read(name)
    check(text.count(right) == 1, "%s: it can be made" % what, text.count(right))
    write(name, text.replace(right, wrong))
    end = make()
    check(end.returncode == 1 and says in end.stderr, "and is told",
          "%d: %s" % (end.returncode, end.stderr))
    write(name, text)
done()
