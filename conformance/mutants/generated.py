# SPDX-License-Identifier: LGPL-2.1-or-later
"""The mutants that are made from a recorded run: "this call answers that".

For each required case, and each function that it calls, the first call and the last:

    refused   it succeeded, and answers an error
    skipped   it isn't made, and answers S_OK (not of a reading function: it would be the next)
    dropped   it succeeded, but its outputs are empty
    other     it failed, and answers another error
    accepted  it failed, and answers S_OK

Errors are those that cimfs.h documents with the function; which of them is drawn from the mutant's
name. Its name: CASE:FUNCTION:WHICH:KIND, WHICH being first, last or only; FUNCTION begins with
"peer." for calls of processes that the case starts.
"""
import fnmatch
import os
import re
import zlib

VOID = ("CloseImage", "CloseStream")
IMAGE_READING = ("ReadFile", "ReadFile2", "GetFileStatBasicInformation", "GetFileStatBasicInformation2")
READING = IMAGE_READING + ("LookupFile",)  # of which the outputs are all
# What any function may answer, by cimfs.h's conventions.
ANYWHERE = ["E_OUTOFMEMORY", "E_INVALIDARG", "E_ACCESSDENIED", "ERROR_DISK_FULL", "ERROR_CIMFS_IMAGE_CORRUPT",
            "ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED"]
E_CODES = {"E_NOTIMPL": 0x80004001, "E_POINTER": 0x80004003, "E_ACCESSDENIED": 0x80070005,
           "E_OUTOFMEMORY": 0x8007000e, "E_INVALIDARG": 0x80070057}
WIN32_CODES = {"ERROR_FILE_NOT_FOUND": 2, "ERROR_PATH_NOT_FOUND": 3, "ERROR_SHARING_VIOLATION": 32,
               "ERROR_HANDLE_EOF": 38, "ERROR_NOT_SUPPORTED": 50, "ERROR_FILE_EXISTS": 80,
               "ERROR_DISK_FULL": 112, "ERROR_ALREADY_EXISTS": 183,
               "ERROR_FILE_SYSTEM_LIMITATION": 665, "ERROR_CIMFS_IMAGE_CORRUPT": 470,
               "ERROR_CIMFS_IMAGE_VERSION_NOT_SUPPORTED": 471}


def code(name):
    return E_CODES[name] if name in E_CODES else 0x80070000 | WIN32_CODES[name]


def read_answers(header):
    """Function: the errors documented with it, sorted. Other functions that are named by "as CimX()
    and CimY()" are taken in, and so on."""
    with open(header, encoding="utf-8") as file:
        text = file.read()
    blocks = dict(re.findall(r"/\*\*\s+\*?\s*Cim(\w+)\(\) - (.*?)\*/", text, re.S))
    answers = {}

    def words_of(name, seen):
        """The errors' names of a function, and of those that it is like."""
        if name in seen:
            return []
        seen.add(name)
        words = re.findall(r"\b(?:E|ERROR)_[A-Z_]+[A-Z]\b", blocks[name])
        for others in re.findall(r"\b[Aa]s((?:(?:,|\s+and)?\s+Cim\w+\(\))+)", blocks[name].replace("\n *", " ")):
            for other in re.findall(r"Cim(\w+)\(\)", others):
                words += words_of(other, seen)
        return words

    for name in blocks:
        words = words_of(name, set())
        answers[name] = sorted({code(word) for word in words} or
                               {code("ERROR_NOT_SUPPORTED"), code("E_INVALIDARG")})
    return answers


class Call:
    """A line of the record."""

    def __init__(self, line):
        (_, self.case, self.function, answer, out, self.thread, self.image, path,
         other) = line.rstrip("\n").split("\t")
        self.answer = int(answer, 16)
        self.out = out == "1"
        self.image = self.image.replace("\\\\?\\", "").replace("\\\\", "\\")
        self.path, self.other = path.lstrip("\\"), other.lstrip("\\")

    @property
    def failed(self):
        return self.answer >= 0x80000000


def read_record(directory):
    """Case: its calls, those of all its processes, in order."""
    lines, calls = [], {}
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), encoding="ascii") as file:
            lines += file
    for call in map(Call, sorted(lines)):  # (a line begins with the time)
        calls.setdefault(call.case, []).append(call)
    return calls


def undocumented(calls, answers):
    common = {code(name) for name in ANYWHERE}
    return sorted({"%s in %s: %#x" % (call.function, case, call.answer)
                   for case in calls for call in calls[case]
                   if call.failed and call.answer not in common and
                   call.answer not in answers[call.function.split(":")[-1]]})


class Mutant:
    """One of a case; @plan is what the DLL is told of it."""

    def __init__(self, case, function, which, nth, kind, answer):
        self.case, self.function, self.which, self.kind = case, function, which, kind
        self.name = ":".join((case, function.replace(":", "."), which, kind))
        does = {"skipped": "skipped", "dropped": "dropped"}.get(kind, "answered")
        self.plan = "%s %d %s %x" % (function, nth, does, answer(self.name))
        self.nth = nth


def kinds_of(call):
    function = call.function.split(":")[-1]
    if function in VOID:
        return ["skipped"]
    if call.failed:
        return ["other", "accepted"]
    return ["refused"] + ["skipped"] * (function not in READING) + ["dropped"] * call.out


def enumerate_mutants(case, calls, answers):
    """All of a case."""
    mutants = []
    for function in dict.fromkeys(call.function for call in calls):
        own = [call for call in calls if call.function == function]
        ends = [("only", 1)] if len(own) == 1 else [("first", 1), ("last", len(own))]
        for which, nth in ends:
            call = own[nth - 1]
            errors = [error for error in answers[function.split(":")[-1]] + [code(ANYWHERE[0])]
                      if error != call.answer]

            def answer(name, kind):
                return errors[draw(name) % len(errors)] if kind in ("refused", "other") else 0

            for kind in kinds_of(call):
                mutants.append(Mutant(case, function, which, nth, kind,
                                      lambda name, kind=kind: answer(name, kind)))
    return mutants


def draw(name):
    """A number that depends on the name alone."""
    return zlib.crc32(name.encode())


def sample(mutants, count):
    """At most so many of a case's."""
    return sorted(mutants, key=lambda mutant: draw("sample " + mutant.name))[:count]


# ---- equivalent ones --------------------------------------------------------------------------


def folder(image):
    return image.rpartition("\\")[0]


def is_mount(function):
    return re.search(r"(?<!s)Mount(Verified)?Image$", function)


def is_unseen(mutant, calls, index, _):
    """What the call makes isn't looked at any more, and nothing is mounted."""
    call = calls[index]
    if any(is_mount(one.function) and not one.failed for one in calls):
        return False
    for one in calls[index + 1:]:
        name = one.function.split(":")[-1]
        looks = IMAGE_READING[:2] if call.function.endswith("WriteStream") else READING
        if call.path and name in looks and (one.path + "\\").startswith(call.path + "\\"):
            return False
        if not call.path and call.image in (one.image, folder(one.image) + "\\" + one.other) and (
                name in IMAGE_READING or name.startswith("CreateImage")):
            return False
    return True


def is_replaced(mutant, calls, index, _):
    """What the call makes is deleted, or something else takes its place; what it deletes is made
    again."""
    path = calls[index].path
    return bool(path) and any(re.search("CreateFile|CreateHardLink|CreateAlternate|DeletePath", one.function) and
               (path + "\\").startswith(re.split("[:]", one.path)[0] + "\\")
               for one in calls[index + 1:])


def is_discarded(mutant, calls, index, _):
    """The session is closed without a commit."""
    ends = [one.function for one in calls[index + 1:] if one.image == calls[index].image and
            re.search("C(ommit|lose)Image", one.function)]
    return bool(ends) and ends[0].endswith("CloseImage")


def is_held(mutant, calls, index, _):
    """No session follows in the directory."""
    return not any("CreateImage" in one.function and
                   folder(one.image).startswith(folder(calls[index].image))
                   for one in calls[index + 1:])


def is_any_failure(mutant, calls, index, survivors):
    """That the call fails is looked at, but not how."""
    return mutant.kind == "other" and mutant.name[:-5] + "accepted" not in survivors


def is_threads(mutant, calls, index, _):
    """Which of several threads or processes makes the call isn't the same each time."""
    return len({one.thread for one in calls if one.function == mutant.function}) > 1


def is_mounted(mutant, calls, *_):
    """The case mounts."""
    return any(is_mount(one.function) for one in calls)


def is_fixture(mutant, calls, index, _):
    """An item of make_base(), or of put_test_image(), of which few cases use all; the case mounts."""
    return is_mounted(mutant, calls) and (
        calls[index].path in ("foobar.txt", "foo", "foo\\bar.txt") or
        (calls[index].image.endswith("\\base.cim") and
         calls[index].path in ("empty", "d\\inner.txt", "file.txt:s")))


def always(*_):
    return True


KINDS = {"unseen": is_unseen, "replaced": is_replaced, "discarded": is_discarded, "held": is_held,
         "any-failure": is_any_failure, "threads": is_threads, "mounted": is_mounted, "fixture": is_fixture,
         "otherwise": always}


class Line:
    """Of the file: a glob for names, the kind of reason, the reason."""

    def __init__(self, glob, kind):
        self.glob, self.kind, self.used = glob, kind, False


def read_equivalent(path, give_up):
    lines = []
    with open(path, encoding="utf-8") as file:
        for text in file:
            words = text.split("#")[0].split(None, 2)
            if not words:
                continue
            if len(words) < 3 or words[1] not in KINDS:
                give_up("equivalent: no reason, or none of the kinds, for " + words[0])
            lines.append(Line(*words[:2]))
    return lines


def explain(mutant, lines, record, survivors):
    """None, or why it must not survive. A line for it is marked as used."""
    calls = record[mutant.case]
    own = [index for index, call in enumerate(calls) if call.function == mutant.function]
    fitting = [line for line in lines if fnmatch.fnmatchcase(mutant.name, line.glob)]
    for line in fitting:
        if KINDS[line.kind](mutant, calls, own[mutant.nth - 1], survivors):
            line.used = True
            return None
    return "survives" + "".join(", isn't " + line.kind for line in fitting)
