# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plausible faults of a C file, by rule: what scripts/faults puts in, one at a time.

comparison  < to <=, == to !=, ...          logic   && to ||, || to &&
constant    a number or a limit +1, or *2   status  a returned CIM_E_X, errno, HRESULT or bool to another
check       if (...) goto/return that never holds
call        a statement that is only a call, left out

Nothing in a comment, a string, a line of the preprocessor, an assert, a sizeof, an array's declared
size, a case label or a type's declaration is touched.
"""

import collections
import re
import zlib

# @code: it is in a function, not in a table
Fault = collections.namedtuple("Fault", "file line last function code rule start end text before after")

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<directive>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\])*")
  | (?P<char>[uUL]?'(?:\\.|[^'\\])*')
  | (?P<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\.\.\.|[^\s\w])
    """, re.S | re.X | re.M)
OTHER_COMPARISON = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
OTHER_LOGIC = {"&&": "||", "||": "&&"}
OPENS = {"(": ")", "[": "]", "{": "}"}
LEAVES = {"goto", "return", "break", "continue"}
KEYWORDS = LEAVES | {"if", "else", "for", "while", "do", "switch", "case", "default", "sizeof"}
UNTOUCHED = {"assert", "static_assert", "_Static_assert", "sizeof", "offsetof", "_Alignas", "__attribute__"}
# Without these a va_list is none, or nothing changes.
NO_CALLS = KEYWORDS | UNTOUCHED | {"va_start", "va_end", "va_copy", "defined"}
ARITHMETIC = set("+-*/%<>") | {"<=", ">=", "==", "!="}
STATUS = (
    ("CIM_OK", "CIM_E_INVALID", "CIM_E_CORRUPT", "CIM_E_IO", "CIM_E_ACCESS", "CIM_E_FILE_NOT_FOUND"),
    ("EIO", "EINVAL", "ENOENT", "EACCES", "0"),
    ("S_OK", "E_FAIL", "E_INVALIDARG", "E_ACCESSDENIED"),
    ("ERROR_SUCCESS", "ERROR_INVALID_PARAMETER", "ERROR_ACCESS_DENIED", "ERROR_FILE_NOT_FOUND"),
    ("STATUS_SUCCESS", "STATUS_INVALID_PARAMETER", "STATUS_ACCESS_DENIED"),
)
STATUS_NAME = tuple(re.compile(r) for r in (
    r"CIM_OK$|CIM_E_[A-Z]", r"E(?!XIT|OF$)[A-Z0-9]{3,}$", r"S_OK$|E_[A-Z]+$", r"ERROR_[A-Z]", r"STATUS_[A-Z]"))
BARE_RETURN = re.compile(r"\s*return \w+;")
BOOLEANS = {"true": "false", "false": "true"}


class Token:
    __slots__ = ("kind", "text", "start", "end", "partner", "untouched", "context", "code")

    def __init__(self, match):
        self.kind, self.text = match.lastgroup, match.group()
        self.start, self.end = match.span()
        self.partner = self.context = None
        self.untouched = self.code = False


def tokens_of(text):
    """All that the compiler sees behind the preprocessor's lines; brackets know each other."""
    tokens = [Token(m) for m in TOKEN.finditer(text)]
    tokens = [t for t in tokens if t.kind not in ("comment", "directive")]
    stack = []
    for i, token in enumerate(tokens):
        if token.text in OPENS and token.kind == "op":
            stack.append(i)
        elif token.text in OPENS.values() and token.kind == "op" and stack:
            token.partner = stack.pop()
            tokens[token.partner].partner = i
    return tokens


def name_before(tokens, brace):
    """What a { at the top level belongs to, a function or a table: its name, and whether it is code."""
    i = brace - 1
    if i >= 0 and tokens[i].text == "=":
        i -= 1
        while i > 0 and tokens[i].text == "]":
            i = tokens[i].partner - 1
        return tokens[i].text, False
    if i >= 0 and tokens[i].text == ")" and tokens[i].partner:
        return tokens[tokens[i].partner - 1].text, True
    return None, False


def set_contexts(tokens):
    """Tell each token its function, and whether it is none of our business."""
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.text == "{" and token.partner:
            name, code = name_before(tokens, i)
            for inner in tokens[i:token.partner]:
                inner.context, inner.code = name, code
            i = token.partner
        elif token.text in ("(", "[") and token.partner:
            i = token.partner
        i += 1
    for i, token in enumerate(tokens):
        opens = None
        if token.text in UNTOUCHED and i + 1 < len(tokens):
            opens = i + 1
        elif token.text in ("struct", "union", "enum"):
            opens = next((k for k in (i + 1, i + 2) if k < len(tokens) and tokens[k].text == "{"), None)
        elif token.text == "[" and is_declared_array(tokens, i):
            opens = i
        if opens is not None and tokens[opens].partner:
            for inner in tokens[opens:tokens[opens].partner]:
                inner.untouched = True
        if token.text == "case":
            while i < len(tokens) and tokens[i].text != ":":
                tokens[i].untouched = True
                i += 1


def is_declared_array(tokens, i):
    """char name[N], struct s *name[N][M]"""
    while i > 1 and tokens[i - 1].text == "]":
        i = tokens[i - 1].partner
    if i < 2 or tokens[i - 1].kind != "name":
        return False
    before = tokens[i - 2]
    if before.text == "*":
        before = tokens[i - 3]
        return before.kind == "name" and tokens[i - 4].text in (";", "{", "}", "struct", "const")
    return before.kind == "name" and before.text not in KEYWORDS


def begins_statement(tokens, i):
    before = tokens[i - 1]
    if before.text in (";", "{", "}", "else", "do"):
        return True
    if before.text == ")" and before.partner:
        return tokens[before.partner - 1].text in ("if", "for", "while", "switch")
    if before.text == ":":
        k = i - 2
        while k > 0 and tokens[k].text not in (";", "{", "}", "?"):
            k -= 1
        return tokens[k].text != "?" and (tokens[k + 1].text in ("case", "default") or k == i - 3)
    return False


def call_statement(tokens, i):
    """The last token of the call that is the whole statement which begins at @i, or None."""
    if tokens[i].kind != "name" or tokens[i].text in NO_CALLS or not begins_statement(tokens, i):
        return None
    k = i + 1
    while k + 1 < len(tokens) and tokens[k].text in ("->", ".", "["):
        k = tokens[k].partner + 1 if tokens[k].text == "[" else k + 2
    if k >= len(tokens) or tokens[k].text != "(" or not tokens[k].partner:
        return None
    end = tokens[k].partner
    return end if end + 1 < len(tokens) and tokens[end + 1].text == ";" else None


def leaves(tokens, i):
    """Does the statement at @i, or the last one of the block there, go elsewhere?"""
    if tokens[i].text == "{":
        end = tokens[i].partner
        k = end - 2
        while k > i and tokens[k].text not in (";", "{", "}"):
            k -= 1
        return tokens[end - 1].text == ";" and tokens[k + 1].text in LEAVES
    return tokens[i].text in LEAVES


def other_status(name, source, token):
    for pattern, others in zip(STATUS_NAME, STATUS):
        if pattern.match(name):
            others = [o for o in others if o != name]
            return others[pick_of(source, token) % len(others)]
    return None


def pick_of(text, token):
    """A number that says which of several faults a token gets: the same as long as its line is."""
    start = text.rfind("\n", 0, token.start) + 1
    line = shown(text, token.start, token.start) + str(len(text[start:token.start].split()))
    return zlib.crc32(line.encode())


def bigger(tokens, i, source):
    """A number or the name of a limit, made another."""
    token, text = tokens[i], tokens[i].text
    before, after = tokens[i - 1].text, tokens[i + 1].text
    if token.kind == "number":
        if before == "{" and after == "}" or re.fullmatch("U?INT[0-9]+_C", tokens[i - 2].text) or re.search(r"[.pP]", text.replace("0x", "")):
            return None
        value = int(re.sub(r"[uUlL]+$", "", text), 16 if text[:2] in ("0x", "0X") else 8 if re.match("0[0-7]", text) else 10)
        return "%s" % ("1" if text == "0" else "(%s * 2)" % text if value > 1 and pick_of(source, token) % 2 else "(%s + 1)" % text)
    if re.fullmatch(r"[A-Z][A-Z0-9_]{2,}", text) and after != "(" and (before in ARITHMETIC or after in ARITHMETIC) and \
            not any(p.match(text) for p in STATUS_NAME) and before not in ("&", "|", "~") and after not in ("&", "|", "*"):
        return "(%s + 1)" % text
    return None


def changes(tokens, i, source):
    """(rule, last token, text instead) for each fault that begins at token @i."""
    token = tokens[i]
    if token.kind == "op" and token.text in OTHER_COMPARISON:
        yield "comparison", i, OTHER_COMPARISON[token.text]
    if token.kind == "op" and token.text in OTHER_LOGIC:
        yield "logic", i, OTHER_LOGIC[token.text]
    if token.kind in ("number", "name"):
        text = bigger(tokens, i, source)
        if text:
            yield "constant", i, text
    if token.kind == "name":
        text = other_status(token.text, source, token)
        if text and tokens[i + 1].text != "(":
            yield "status", i, text
        if token.text in BOOLEANS and tokens[i - 1].text == "return":
            yield "status", i, BOOLEANS[token.text]
        end = call_statement(tokens, i)
        if end:
            yield "call", end, "(void)0"
    if tokens[i - 1].text == "if" and token.text == "(" and leaves(tokens, token.partner + 1):
        yield "check", token.partner, "(%s, 0)"


def shown(text, start, end):
    """The lines that hold text[start:end], as one; before a mere "return false;" the one above, too."""
    start = text.rfind("\n", 0, start) + 1
    end = text.find("\n", end)
    end = end if end >= 0 else len(text)
    if BARE_RETURN.fullmatch(text, start, end):
        start = text.rfind("\n", 0, start - 1) + 1
    return " ".join(text[start:end].split())


def faults_of(file, text):
    """All faults of a C file, in the order of its lines."""
    tokens = tokens_of(text)
    set_contexts(tokens)
    found = []
    for i in range(1, len(tokens) - 1):
        if tokens[i].context is None or tokens[i].untouched:
            continue
        for rule, last, instead in changes(tokens, i, text):
            start, end = tokens[i].start, tokens[last].end
            if rule == "check":
                instead = instead % text[start:end]
            changed = text[:start] + instead + text[end:]
            found.append(Fault(file, text.count("\n", 0, start) + 1, text.count("\n", 0, end) + 1,
                               tokens[i].context, tokens[i].code, rule, start, end, instead, shown(text, start, end),
                               shown(changed, start, start + len(instead))))
    return found


def applied(fault, text):
    return text[:fault.start] + fault.text + text[fault.end:]
