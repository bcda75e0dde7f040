/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_host.c - what cimtool and cimfs-mount share, piece by piece: times, text, lists of extended
 * attributes, link targets, arguments, processes, mounts, the info file of a volume
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/alloc.h"
#include "../host/args.h"
#include "../host/bytes.h"
#include "../host/dir.h"
#include "../host/ea.h"
#include "../host/error.h"
#include "../host/filetime.h"
#include "../host/help.h"
#include "../host/imagefile.h"
#include "../host/mountinfo.h"
#include "../host/process.h"
#include "../host/reparse.h"
#include "../host/run.h"
#include "../host/standard.h"
#include "../host/statx.h"
#include "../host/unmount.h"
#include "../host/utf8.h"
#include "../host/volumeinfo.h"
#include "libcim_advanced.h"
#include "tap.h"

#define GUID "01234567-89ab-cdef-0123-456789abcdef"

static char tmp[300];

static const char *in_tmp(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", tmp, name);
	return path;
}

/* ---- times ---- */

static void test_times_in(void)
{
	static const struct {
		int64_t seconds;
		long nanoseconds;
		int64_t want;
		bool exact;
	} all[] = {
		{0, 0, 116444736000000000, true},
		{0, 99, 116444736000000000, true},
		{0, 100, 116444736000000001, true},
		{-1, 999999999, 116444735999999999, true},
		{-11644473600, 0, 1, false},
		{-11644473600, 99, 1, false},
		{-11644473600, 100, 1, true},
		{-11644473600, 199, 1, true},
		{-11644473600, 200, 2, true},
		{-11644473601, 999999999, 1, false},
		{-11644473599, 0, 10000000, true},
		{INT64_MIN, 0, 1, false},
		{INT64_MAX, 0, INT64_MAX, false},
		{910692730085, 477580799, INT64_MAX, false},
		{910692730084, 999999999, INT64_C(9223372036849999999), true},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int64_t t = 0;
		const bool exact = filetime_from_unix(all[i].seconds, all[i].nanoseconds, &t);

		ok(t == all[i].want && exact == all[i].exact,
		   "%" PRId64 " s and %ld ns are the file time %" PRId64 "%s (got %" PRId64 ", %d)",
		   all[i].seconds, all[i].nanoseconds, all[i].want,
		   all[i].exact ? "" : ", which is another time", t, exact);
	}
}

static void test_times_out(void)
{
	static const struct {
		int64_t t;
		int64_t seconds;
		long nanoseconds;
	} all[] = {
		{0, -11644473600, 0},
		{1, -11644473600, 100},
		{-1, -11644473601, 999999900},
		{-10000000, -11644473601, 0},
		{-10000001, -11644473602, 999999900},
		{116444736000000000, 0, 0},
		{116444735999999999, -1, 999999900},
		{INT64_MAX, 910692730085, 477580700},
		{INT64_MIN, -933981677286, 522419200},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct timespec ts;

		filetime_to_unix(all[i].t, &ts);
		ok(ts.tv_sec == all[i].seconds && ts.tv_nsec == all[i].nanoseconds,
		   "the file time %" PRId64 " is %" PRId64 " s and %ld ns (got %" PRId64 ", %ld)",
		   all[i].t, all[i].seconds, all[i].nanoseconds, (int64_t)ts.tv_sec, ts.tv_nsec);
	}
}

/* ---- text ---- */

static void test_utf8(void)
{
	static const struct {
		const char *bytes;
		size_t length;
		bool harmful;
	} all[] = {
		{"a", 1, false},
		{"\x7f", 1, true},
		{"\x1f", 1, true},
		{" ", 1, false},
		{"~", 1, false},
		{"\x80", 0, true},
		{"\xbf\x80", 0, true},
		{"\xc1\x80", 0, true},
		{"\xc2\x80", 2, true},
		{"\xc2\x9f", 2, true},
		{"\xc2\xa0", 2, false},
		{"\xc2\x7f", 0, true},
		{"\xc2\xc0", 0, true},
		{"\xc2", 0, true},
		{"\xc3\x80", 2, false},
		{"\xdf\xbf", 2, false},
		{"\xe0\x9f\xbf", 0, true},
		{"\xe0\xa0\x80", 3, false},
		{"\xe1\x80\x80", 3, false},
		{"\xe1\x80\xc0", 0, true},
		{"\xe1\xc0\x80", 0, true},
		{"\xe1\x80", 0, true},
		{"\xed\x9f\xbf", 3, false},
		{"\xed\xa0\x80", 0, true},
		{"\xee\x80\x80", 3, false},
		{"\xef\xbf\xbf", 3, false},
		{"\xf0\x8f\xbf\xbf", 0, true},
		{"\xf0\x90\x80\x80", 4, false},
		{"\xf1\x80\x80\x80", 4, false},
		{"\xf1\x80\x80\xc0", 0, true},
		{"\xf1\x80\xc0\x80", 0, true},
		{"\xf1\xc0\x80\x80", 0, true},
		{"\xf1\x80\x80", 0, true},
		{"\xf4\x8f\xbf\xbf", 4, false},
		{"\xf4\x90\x80\x80", 0, true},
		{"\xf5\x80\x80\x80", 0, true},
		{"", 0, true},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const size_t length = utf8_length(all[i].bytes, strlen(all[i].bytes));

		ok(length == all[i].length && is_harmful(all[i].bytes, length) == all[i].harmful,
		   "text %zu: %zu bytes are a character that %s harm (got %zu)", i, all[i].length,
		   all[i].harmful ? "does" : "does no", length);
	}
}

static void test_one_line(void)
{
	char text[] = "a\nb\x1b\xc2\x9b\xff\xe6\xbc\xa2\xc2\xa0z\xe6\xbc";

	is_str(one_line(text), "a?b?\?\?\?\xe6\xbc\xa2\xc2\xa0z?\?", "a text in one line");
}

static void test_errors(void)
{
	struct cim_error err;
	char longest[2 * sizeof(err.cause)];

	is_int(fail(&err, CIM_E_EXISTS, "%s %d", "text", 7), CIM_E_EXISTS,
	       "fail() gives its status");
	ok(err.status == CIM_E_EXISTS && !strcmp(err.cause, "text 7") && !err.os_error &&
		   !*err.path,
	   "and the words alone: '%s'", err.cause);
	errno = ENOSPC;
	is_int(fail_errno(&err, "%s", "file"), CIM_E_DISK_FULL, "fail_errno() gives that of errno");
	ok(err.status == CIM_E_DISK_FULL && err.os_error == ENOSPC &&
		   !strcmp(err.cause, "file: No space left on device"),
	   "and tells: '%s'", err.cause);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	errno = EIO;
	fail_errno(&err, "%s", longest);
	is_int((long)strlen(err.cause), sizeof(err.cause) - 1, "a cause that is too long is cut");
}

/* ---- lists of extended attributes ---- */

struct list {
	uint8_t bytes[64 + EA_NTFS_ROOM];
	size_t size;
};

/* An entry with a name of @name_len and a value of @value_len bytes; @next: its offset. */
static void add_ea(struct list *list, uint32_t next, uint8_t name_len, uint16_t value_len)
{
	uint8_t *p = list->bytes + list->size;

	put32(p, next);
	p[4] = 0x80;
	p[5] = name_len;
	put16(p + 6, value_len);
	memset(p + 8, 'n', name_len);
	p[8 + name_len] = 0;
	memset(p + 9 + name_len, 'v', value_len);
	list->size += next ? next : 9u + name_len + value_len;
}

static int count_eas(const struct list *list)
{
	struct ea_entry entry;
	size_t offset = 0;
	int count = 0, got;

	while ((got = ea_next(list->bytes, list->size, &offset, &entry)) == 1) {
		ok(entry.flags == 0x80 && entry.name_len && entry.name[0] == 'n' &&
			   !entry.name[entry.name_len] &&
			   entry.value == (const uint8_t *)entry.name + entry.name_len + 1 &&
			   (!entry.value_len || entry.value[entry.value_len - 1] == 'v'),
		   "an entry's parts lie where they should");
		count++;
	}
	return got < 0 ? got : count;
}

static void test_ea_next(void)
{
	struct list list = {.size = 0};

	is_int(count_eas(&list), 0, "a list of 0 bytes has no entry");
	add_ea(&list, 16, 3, 2);
	add_ea(&list, 0, 1, 0);
	is_int(list.size, 26, "two entries in 26 bytes");
	is_int(count_eas(&list), 2, "are read");
	list.size = 29;
	is_int(count_eas(&list), 2, "with 3 bytes behind them too");
	list.size = 30;
	is_int(count_eas(&list), -1, "4 bytes are too many");
	list.size = 25;
	is_int(count_eas(&list), -1, "a byte less than all is too few");
	list.size = 24;
	is_int(count_eas(&list), -1, "so is less than the head of an entry");
	list.size = 26;
	put32(list.bytes, 12);
	is_int(count_eas(&list), -1, "an offset into its own entry");
	put32(list.bytes, 18);
	is_int(count_eas(&list), -1, "one that is no multiple of 4");
	put32(list.bytes, 28);
	is_int(count_eas(&list), -1, "one behind the end");
	put32(list.bytes, 16);
	list.bytes[16 + 9] = 1;
	is_int(count_eas(&list), -1, "a name without its NUL");
	list.bytes[16 + 9] = 0;
	list.bytes[16 + 5] = 0;
	is_int(count_eas(&list), -1, "a name of no bytes");
}

/* Entries of which the last begins on a multiple of 4, as always: what is added is up to 3 bytes.
 */
static void test_ea_ntfs(void)
{
	for (uint16_t value = 0; value < 9; value++) {
		struct list list = {.size = 0}, back;
		const size_t size = 16 + 10u + value;
		const size_t full = (size + 3) / 4 * 4;

		memset(list.bytes, 0xee, sizeof(list.bytes));
		add_ea(&list, 16, 3, 2);
		add_ea(&list, 0, 1, value);
		ok(ea_to_ntfs(list.bytes, &list.size) && list.size == full &&
			   get32(list.bytes + 16) == full - 16 && get32(list.bytes) == 16,
		   "a last value of %u bytes: as NTFS has it in %zu bytes", value, full);
		for (size_t i = size; i < full; i++)
			is_int(list.bytes[i], 0, "byte %zu is padding", i);
		is_int(list.bytes[full], 0xee, "and nothing is written behind it");
		back = list;
		ok(ea_from_ntfs(back.bytes, &back.size) && back.size == size &&
			   !get32(back.bytes + 16) && count_eas(&back) == 2,
		   "and back in %zu bytes", size);
		ok(ea_from_ntfs(back.bytes, &back.size) && back.size == size,
		   "which stays as it is");
	}
}

static void test_ea_bad(void)
{
	struct list list = {.size = 0};

	ok(!ea_to_ntfs(list.bytes, &list.size), "an empty list is none for NTFS");
	ok(!ea_from_ntfs(list.bytes, &list.size), "nor from it");
	add_ea(&list, 0, 3, 4);
	list.size -= 1;
	ok(!ea_to_ntfs(list.bytes, &list.size) && list.size == 15, "nor is one that is cut");
	ok(!ea_from_ntfs(list.bytes, &list.size), "nor from it");
	put32(list.bytes, 20);
	ok(!ea_from_ntfs(list.bytes, &list.size), "nor one whose last offset leads elsewhere");
	list.size = 8;
	put32(list.bytes, 8);
	ok(!ea_from_ntfs(list.bytes, &list.size), "nor the head of an entry");
	list.size = 9;
	put32(list.bytes, 9);
	list.bytes[5] = 0;
	put16(list.bytes + 6, 0);
	ok(ea_from_ntfs(list.bytes, &list.size) && list.size == 9, "9 bytes are enough for one");
}

/* ---- link targets ---- */

static void link_is(const char *target, size_t want_size)
{
	enum target_kind kind = TARGET_ABSOLUTE;
	const char *why = NULL;
	size_t size = 0;
	uint8_t *data = reparse_from_symlink(target, &size, &why);
	char *back = data ? reparse_to_symlink(data, size, &kind) : NULL;
	char *shown = data ? reparse_target(data, size) : NULL;

	ok(data && size == want_size && cim_blob_valid(CIM_BLOB_REPARSE, data, size),
	   "'%.40s' is reparse data of %zu bytes (got %zu: %s)", target, want_size, size,
	   why ? why : "");
	ok(back && !strcmp(back, target) && kind == TARGET_EXACT, "and back: '%.40s'",
	   back ? back : "NULL");
	ok(shown && strlen(shown) == strlen(target) && !strchr(shown, '/'), "Windows shows '%.40s'",
	   shown ? shown : "NULL");
	free(shown);
	free(back);
	free(data);
}

static void no_link(const char *target, const char *words)
{
	const char *why = "";
	size_t size;

	ok(!reparse_from_symlink(target, &size, &why) && strstr(why, words),
	   "'%.20s' can't be one: %s", target, why);
}

static char *filled(size_t len)
{
	static char text[9000];

	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

static void test_link_from(void)
{
	link_is("a", 20 + 4);
	link_is("../a/b", 20 + 24);
	link_is("/a", 20 + 8);
	link_is("/", 20 + 4);
	link_is("\xe6\xbc\xa2", 20 + 4);
	/* As two names while they fit into 16 KiB; then as one; then not at all. */
	link_is(filled(4091), 20 + 4 * 4091);
	link_is(filled(4092), 20 + 2 * 4092);
	link_is(filled(8182), 20 + 2 * 8182);
	no_link(filled(8183), "too long");
	no_link("a\\b", "separates");
	no_link("\xff", "UTF-8");
}

/* Symlink reparse data with a target of Windows'. */
static size_t windows_link(uint8_t *data, const char *target, bool relative)
{
	const size_t len = strlen(target) * 2;

	memset(data, 0, 20);
	put32(data, CIM_TAG_SYMLINK);
	put16(data + 4, (uint16_t)(12 + len));
	put16(data + 10, (uint16_t)len);
	put32(data + 16, relative);
	for (size_t i = 0; target[i]; i++)
		put16(data + 20 + 2 * i, (uint8_t)target[i]);
	return 20 + len;
}

static void test_link_to(void)
{
	static const struct {
		const char *target;
		bool relative;
		const char *want;
		enum target_kind kind;
	} all[] = {
		{"a\\b", true, "a/b", TARGET_EXACT},
		{"\\a", true, "/a", TARGET_EXACT},
		{"a/b", true, "a/b", TARGET_ABSOLUTE},
		{"C:\\a", true, "C:/a", TARGET_EXACT},
		{"\\??\\C:\\a", false, "/a", TARGET_ABSOLUTE},
		{"\\\\?\\c:\\a", false, "/a", TARGET_ABSOLUTE},
		{"Z:\\a", false, "/a", TARGET_ABSOLUTE},
		{"a:\\a", false, "/a", TARGET_ABSOLUTE},
		{"z:\\a", false, "/a", TARGET_ABSOLUTE},
		{"A:", false, "/", TARGET_ABSOLUTE},
		{"@:\\a", false, "@:/a", TARGET_ABSOLUTE},
		{"[:\\a", false, "[:/a", TARGET_ABSOLUTE},
		{"`:\\a", false, "`:/a", TARGET_ABSOLUTE},
		{"{:\\a", false, "{:/a", TARGET_ABSOLUTE},
		{"C\\a", false, "C/a", TARGET_ABSOLUTE},
		{"\\??\\UNC\\s\\t\\f", false, "//s/t/f", TARGET_ABSOLUTE},
		{"\\??\\UNCs\\t", false, "UNCs/t", TARGET_ABSOLUTE},
		{"\\??\\", false, "/", TARGET_ABSOLUTE},
	};
	uint8_t data[200];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		enum target_kind kind = TARGET_EXACT;
		char *got = reparse_to_symlink(
			data, windows_link(data, all[i].target, all[i].relative), &kind);

		ok(got && !strcmp(got, all[i].want) && kind == all[i].kind,
		   "%s%s is %s on Linux (got %s, %d)", all[i].target,
		   all[i].relative ? ", relative," : "", all[i].want, got ? got : "NULL", kind);
		free(got);
	}
}

static void test_link_parse(void)
{
	struct reparse_link link;
	uint8_t data[200];
	size_t size = windows_link(data, "abc", true);
	enum target_kind kind;
	char *text;

	ok(reparse_parse_link(data, size, &link) && link.symlink && link.relative &&
		   link.target.units == 3 && link.shown.bytes && !link.shown.units,
	   "a symlink's names");
	text = reparse_target(data, size);
	is_str(text, "abc", "what is shown for want of a name for that");
	free(text);
	put16(data + 12, 2);
	put16(data + 14, 4);
	text = reparse_target(data, size);
	is_str(text, "bc", "the name for that");
	free(text);
	for (uint16_t offset = 0; offset <= 8; offset++) {
		put16(data + 8, offset);
		put16(data + 10, 4);
		ok(reparse_parse_link(data, size, &link) &&
			   (link.target.bytes != NULL) == (offset <= 2),
		   "a name of 4 bytes at %u of 6", offset);
	}
	put16(data + 8, 0);
	put16(data + 10, 3);
	ok(reparse_parse_link(data, size, &link) && !link.target.bytes, "half a unit is none");
	put16(data + 10, 0);
	ok(!reparse_to_symlink(data, size, &kind), "an empty target is no link");
	ok(!reparse_parse_link(data, 19, &link) && reparse_parse_link(data, 20, &link),
	   "a symlink's data are 20 bytes at least");
	put32(data, CIM_TAG_MOUNT_POINT);
	ok(!reparse_parse_link(data, 15, &link) && reparse_parse_link(data, 16, &link) &&
		   !link.symlink && !link.relative,
	   "a mount point's are 16");
	ok(!reparse_to_symlink(data, size, &kind), "which is no symlink");
	put32(data, 0x80000017);
	ok(!reparse_parse_link(data, size, &link) && !reparse_target(data, size) &&
		   !reparse_parse_link(data, 3, &link),
	   "nor is another tag, or less than a tag");
}

/* ---- arguments ---- */

static void test_words(void)
{
	static const struct {
		const char *text;
		int base;
		uint64_t max;
		bool good;
		uint64_t want;
	} all[] = {
		{"0", 10, 0, true, 0},
		{"1", 10, 0, false, 0},
		{"17", 10, 17, true, 17},
		{"18", 10, 17, false, 0},
		{"17", 8, 15, true, 15},
		{"8", 8, 99, false, 0},
		{"ff", 16, 255, true, 255},
		{"", 10, 99, false, 0},
		{"+1", 10, 99, false, 0},
		{"-1", 10, UINT64_MAX, false, 0},
		{" 1", 10, 99, false, 0},
		{"1 ", 10, 99, false, 0},
		{"1x", 10, 99, false, 0},
		{"18446744073709551615", 10, UINT64_MAX, true, UINT64_MAX},
		{"18446744073709551616", 10, UINT64_MAX, false, 0},
	};
	uint64_t n;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ok(arg_number(all[i].text, all[i].base, all[i].max, &n) == all[i].good &&
			   (!all[i].good || n == all[i].want),
		   "'%s' is %sa number up to %" PRIu64, all[i].text, all[i].good ? "" : "no ",
		   all[i].max);
	is_int(arg_word("a", "a|bc|d"), 0, "the first word");
	is_int(arg_word("bc", "a|bc|d"), 1, "the second");
	is_int(arg_word("d", "a|bc|d"), 2, "the last");
	is_int(arg_word("b", "a|bc|d"), -1, "a part of one is none");
	is_int(arg_word("bcd", "a|bc|d"), -1, "more than one is none");
	is_int(arg_word("", "a|bc|d"), -1, "nothing is none");
	is_int(arg_word("bd", "a|bc|d"), -1, "another of that length is none");
}

struct asked {
	bool flag, other;
	const char *text;
	int word;
	int taken;
	char wrong[200];
};

static int wrong(void *program, const char *text)
{
	struct asked *asked = (struct asked *)program;

	snprintf(asked->wrong, sizeof(asked->wrong), "%s", text);
	return 77;
}

static int take(void *program, void *into, const struct arg_option *option, char *arg)
{
	((struct asked *)program)->taken++;
	(void)into, (void)option;
	return arg && !strcmp(arg, "stop") ? 5 : 0;
}

static const struct arg_option asked_options[] = {
	{.name = "flag", .letter = 'f', ARG_SETS(struct asked, flag), .help = ""},
	{.name = "text", .letter = 't', .meta = "TEXT", ARG_SETS(struct asked, text), .help = ""},
	{.name = "word", .meta = "red|green|blue", ARG_SETS_WORD(struct asked, word), .help = ""},
	{.name = "maybe",
	 .letter = 'm',
	 .meta = "yes|no",
	 .optional = true,
	 ARG_SETS_WORD(struct asked, word),
	 .help = ""},
	{.letter = 'l', .last = true, ARG_SETS(struct asked, other), .help = ""},
	{.name = "take", .meta = "X", .take = take, .help = ""},
	{0},
};

/* Words for args_parse(), separated by spaces; what it returns. */
static int parse(struct asked *asked, const char *line)
{
	const struct args args = {.program = asked, .wrong = wrong};
	const struct arg_group groups[] = {
		{.options = asked_options, .into = asked},
		{.options = asked_options, .into = asked, .bare = true},
		{0},
	};
	static char copy[200];
	char *argv[20] = {(char *)"program"}, *save;
	int argc = 1;

	*asked = (struct asked){.word = -2};
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	optind = 0;
	return args_parse(&args, groups, argc, argv);
}

static void test_options(void)
{
	struct asked asked;

	ok(!parse(&asked, "") && !asked.flag && asked.word == -2, "no options");
	ok(!parse(&asked, "-f --text=a --word=green x") && asked.flag && asked.word == 1 &&
		   !strcmp(asked.text, "a"),
	   "some of each kind");
	ok(!parse(&asked, "-tb --word blue --maybe") && !strcmp(asked.text, "b") &&
		   asked.word == -1,
	   "arguments in other places, or none");
	ok(!parse(&asked, "-mno") && asked.word == 1, "one that may be missing is there");
	ok(!parse(&asked, "-l --bogus") && asked.other,
	   "what comes behind the last doesn't matter");
	ok(!parse(&asked, "--take 1 --take 2") && asked.taken == 2, "taken by a function");
	ok(parse(&asked, "--take stop --take 2") == 5 && asked.taken == 1, "which ends it");
}

static void test_wrong_options(void)
{
	static const struct {
		const char *line, *text;
	} all[] = {
		{"--bogus", "unknown option '--bogus'"},
		{"-x", "unknown option '-x'"},
		{"-fx", "unknown option '-x'"},
		{"--text", "option '--text' needs an argument"},
		{"-t", "option '-t' needs an argument"},
		{"--flag=1", "option '--flag=1' takes no argument"},
		{"--word=gree", "--word is red, green or blue"},
		{"--maybe=", "--maybe is yes or no"},
	};
	struct asked asked;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		is_int(parse(&asked, all[i].line), 77, "%s is a usage error", all[i].line);
		is_str(asked.wrong, all[i].text, "and told");
	}
}

static void test_bare_options(void)
{
	static const struct arg_option options[] = {
		{.name = "flag", ARG_SETS(struct asked, flag)},
		{.name = "text", .meta = "TEXT", ARG_SETS(struct asked, text)},
		{.name = "word", .meta = "red|green", ARG_SETS_WORD(struct asked, word)},
		{.name = "x-*", ARG_SETS(struct asked, other)},
		{0},
	};
	static const struct {
		const char *word;
		bool known;
		int code;
	} all[] = {
		{"flag", true, 0},   {"flag=1", false, 0},    {"fla", false, 0},
		{"flags", false, 0}, {"text=a", true, 0},     {"text=", true, 0},
		{"text", false, 0},  {"word=green", true, 0}, {"word=blue", true, 77},
		{"x-", true, 0},     {"x-y=z", true, 0},      {"x", false, 0},
		{"X-y", false, 0},   {"", false, 0},	      {"=flag", false, 0},
	};
	struct asked asked = {.word = -2};
	const struct args args = {.program = &asked, .wrong = wrong};
	const struct arg_group group = {.options = options, .into = &asked, .bare = true};
	char word[20];
	bool known;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(word, sizeof(word), "%s", all[i].word);
		is_int(args_word(&args, &group, word, &known), all[i].code, "the word '%s'",
		       all[i].word);
		is_int(known, all[i].known, "is %sknown", all[i].known ? "" : "not ");
	}
	ok(asked.flag && asked.other && asked.word == 1, "and all were taken");
	is_str(asked.wrong, "word is red or green", "without dashes");
}

/* ---- help ---- */

/* What a function prints on standard output. */
static const char *printed(void (*print)(void))
{
	static char text[4000];
	int saved, file;
	ssize_t len;

	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	file = memfd_create("out", MFD_CLOEXEC);
	dup2(file, STDOUT_FILENO);
	print();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	len = pread(file, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	close(file);
	close(saved);
	return text;
}

static void print_help(void)
{
	static const struct arg_option options[] = {
		{.name = "all", .letter = 'a', .help = "everything"},
		{.name = "file",
		 .meta = "FILE",
		 .help = "a text of more words than fit into what a "
			 "line has room for, which goes on below"},
		{.name = "maybe", .meta = "yes|no", .optional = true, .help = "or not"},
		{.letter = 'x', .help = "by a letter alone\n  as it stands\n\nand more"},
		{.letter = 'n', .meta = "N", .help = "with a number"},
		{.name = "a-name-that-is-very-long", .help = "below it"},
		{.name = "one", .letter = '1'},
		{.name = "two", .help = "for both"},
		{0},
	};
	static const struct arg_option bare[] = {
		{.name = "word", .meta = "a|b", .help = "without dashes"},
		{0},
	};
	static const struct arg_option none[] = {{0}};
	const struct arg_group groups[] = {
		{.options = options},
		{.title = "None", .options = none},
		{.title = "Words", .options = bare, .bare = true},
		{0},
	};

	help_print(&(struct help){"program [OPTION]",
				  "One line.\n\n  kept   as it is\nA text that "
				  "is wrapped where the eightieth character "
				  "of a line would be, that is, about here.",
				  groups, "The end."});
}

static void test_help(void)
{
	static const char want[] =
		"Usage: program [OPTION]\n"
		"\n"
		"One line.\n"
		"\n"
		"  kept   as it is\n"
		"A text that is wrapped where the eightieth character of a line would be, that\n"
		"is, about here.\n"
		"\n"
		"  -a, --all            everything\n"
		"      --file=FILE      a text of more words than fit into what a line has room\n"
		"                       for, which goes on below\n"
		"      --maybe[=yes|no] or not\n"
		"  -x                   by a letter alone\n"
		"                         as it stands\n"
		"\n"
		"                       and more\n"
		"  -n N                 with a number\n"
		"      --a-name-that-is-very-long\n"
		"                       below it\n"
		"  -1, --one, --two     for both\n"
		"\n"
		"Words:\n"
		"  word=a|b             without dashes\n"
		"\n"
		"The end.\n";

	is_str(printed(print_help), want, "a help text");
}

/* ---- volumes ---- */

static void test_volume_names(void)
{
	static const struct {
		const char *dir;
		size_t want;
	} all[] = {
		{"/p/cimfs/volumes/" GUID "/mnt", 2},
		{"/a/b/cimfs/volumes/" GUID "/mnt", 4},
		{"/p/cimfs/volumes/" GUID "/mn", 0},
		{"/p/cimfs/volumes/" GUID "/mnt/", 0},
		{"/p/cimfs/volumes/" GUID "/mntx", 0},
		{"/p/cimfs/volumes/x" GUID "/mnt", 0},
		{"/p/cimfs/volume/" GUID "/mnt", 0},
		{"/p/cimfs/volumes/01234567-89ab-cdef-0123-456789abcdex/mnt", 0},
		{"/cimfs/volumes/" GUID "/mnt", 0},
		{"cimfs/volumes/" GUID "/mnt", 0},
		{"/mnt", 0},
		{"", 0},
	};
	char guid[CIM_GUID_TEXT];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		is_int((long)volume_of_dir(all[i].dir, guid), (long)all[i].want,
		       "the prefix of the volume at '%s'", all[i].dir);
	volume_of_dir(all[0].dir, guid);
	is_str(guid, GUID, "and its GUID");
	is_str(backend_name(BACKEND_FUSE), "fuse", "a backend's name");
	is_str(backend_name(BACKEND_EXTRACT), "extract", "the other's");
}

static void test_volume_info(void)
{
	struct volume_info info = {.backend = BACKEND_EXTRACT, .ready = true}, got;
	char file[400];

	snprintf(file, sizeof(file), "%s", in_tmp("info"));
	ok(!volume_info_read(file, &got) && !got.process.pid, "no info file");
	process_identify(&info.process, getpid());
	strcpy(info.image, "/an image\nwith\na newline");
	ok(volume_info_write(file, &info), "an info file is written");
	ok(volume_info_read(file, &got) && got.backend == BACKEND_EXTRACT && got.ready &&
		   got.process.pid == (long)getpid() && got.process.start == info.process.start &&
		   !strcmp(got.process.boot, info.process.boot),
	   "and read");
	is_str(got.image, "/an image?with?a newline", "a newline is none");
	info.backend = BACKEND_FUSE;
	info.ready = false;
	info.process.boot[0] = '\0';
	ok(volume_info_write(file, &info) && volume_info_read(file, &got) &&
		   got.backend == BACKEND_FUSE && !got.ready && !*got.process.boot,
	   "another in its place");
	ok(!write_whole(in_tmp("none/x"), "%s", "x") && errno == ENOENT,
	   "where nothing can be written errno tells");
	ok(!write_whole(file, "%s", ""), "nothing is no file");
	ok(!write_whole(tmp, "%s", "x") && errno == EISDIR, "nor can a directory be one");
	ok(volume_info_read(file, &got), "and what was there stays");
	ok(write_whole(file, "image /i\ntime 5\nready 1\nbackend fuse\nboot b\npid 7\nstart 8\n"
			     "other /x\n") &&
		   volume_info_read(file, &got) && got.process.pid == 7 && got.process.start == 8 &&
		   !strcmp(got.process.boot, "b") && !strcmp(got.image, "/i"),
	   "its lines in another order, and others among them: '%s'", got.image);
	is_int(unlink(file), 0, "it goes");
	is_int(rmdir(tmp) || mkdir(tmp, 0700), 0, "and was all that there was");
}

/* ---- processes and mounts ---- */

static void test_processes(void)
{
	struct process self, child, other;
	int pidfd, status;
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	process_identify(&self, getpid());
	process_identify(&child, pid);
	ok(self.start && child.start && strlen(self.boot) == 36,
	   "processes have a start and a boot");
	ok(process_alive(&self) && process_alive(&child), "they live");
	other = child;
	other.start++;
	ok(!process_alive(&other) && process_open(&other) < 0, "one that started then doesn't");
	other = child;
	other.boot[0] ^= 1;
	ok(!process_alive(&other), "nor one of another boot");
	other = child;
	other.start = 0;
	ok(!process_alive(&other), "nor one that was none when it was looked at");
	process_kill(&other, 0);
	ok(process_alive(&child), "which isn't killed");
	pidfd = process_open(&child);
	ok(pidfd >= 0, "the child can be waited for");
	process_kill(&child, 10000);
	ok(!process_alive(&child),
	   "killed it is none any more, though nobody has asked how it ended");
	process_wait(pidfd, -1);
	close(pidfd);
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "it was killed");
	process_identify(&other, pid);
	ok(!other.start && !process_alive(&other), "a number without a process");
}

static void on_alarm(int number)
{
	(void)number;
}

/* SIGALRM each so many microseconds; 0: no more. */
static void alarms(int every)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	const struct itimerval times = {{0, every}, {0, every}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &times, NULL);
}

/* A signal doesn't end a wait for a process. */
static void test_interrupted_wait(void)
{
	struct process child;
	pid_t pid = fork();
	int pidfd, status;

	if (!pid) {
		usleep(200000);
		_exit(7);
	}
	process_identify(&child, pid);
	pidfd = process_open(&child);
	alarms(20000);
	process_wait(pidfd, -1);
	alarms(0);
	ok(waitpid(pid, &status, WNOHANG) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "a process is waited for to its end, whatever signals come");
	close(pidfd);
}

static void test_mounts(void)
{
	struct mountinfo m;
	struct mount_entry entry;
	struct mount_top top = {.is_image = true};
	unsigned count = 0, proc = 0;

	mountinfo_open(&m);
	while (mountinfo_next(&m, &entry)) {
		count++;
		proc += !strcmp(entry.dir, "/proc") && !strcmp(entry.type, "proc");
	}
	mountinfo_close(&m);
	ok(count && proc, "/proc is among what is mounted (%u, %u)", count, proc);
	ok(find_mount("/proc", &top) && top.dev && !top.is_image, "and found: no image");
	ok(find_mount("/proc", NULL) && !find_mount("/proc/", NULL) && !find_mount(tmp, NULL),
	   "by its own name; what isn't mounted isn't found");
}

/* What stands in for a file of /proc; NULL: nothing. */
static const char *proc_text;

FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	if (proc_text && !strncmp(path, "/proc/", 6))
		return fmemopen((void *)proc_text, strlen(proc_text), "r");
	return __real_fopen64(path, mode);
}

static void test_mount_lines(void)
{
	static const struct {
		const char *line, *dir;
	} all[] = {
		{"1 2 3:4 / /a rw shared:1 - fuse.cimfs /i.cim ro", "/a"},
		{"1 2 3:4 / /b rw - fuse.cimfs /i.cim", "/b"},
		{"1 2 3:4 / /no/end rw fuse.cimfs /i.cim", NULL},
		{"1 2 3:4 / - fuse.cimfs /i.cim", NULL},
		{"1 2 34 / /no/colon rw - fuse.cimfs /i.cim", NULL},
		{"1 2 3:4 / /no/source rw - fuse.cimfs", NULL},
		{"1 2 3:4 / /no/type rw - ", NULL},
		{"1 2 3:4 / /sp\\040a\\011ce\\012\\134 rw - t s", "/sp a\tce\n\\"},
		{"1 2 3:4 / /\\134040 rw - t s", "/\\040"},
		{"1 2 3:4 / /\\377\\000x rw - t s", "/\377"},
		{"1 2 3:4 / /\\400\\080\\008\\/40\\0/0\\00/ rw - t s",
		 "/\\400\\080\\008\\/40\\0/0\\00/"},
		{"1 2 3:4 / /\\04 rw - t s", "/\\04"},
		{"1 2 3:4 / /\\00/1\\0/01\\/001 rw - t s", "/\\00/1\\0/01\\/001"},
		{"1 2 3:4 / /no/options - t s", "/no/options"},
		{"1 2 3:4 / /z rw - t s\\040s", "/z"},
	};
	struct mount_entry entry;
	struct mountinfo m;
	char text[1000] = "";
	struct mount_top top;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\n", all[i].line);
	proc_text = text;
	mountinfo_open(&m);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].dir)
			is_str(mountinfo_next(&m, &entry) ? entry.dir : NULL, all[i].dir, "%s",
			       all[i].line);
	}
	is_str(entry.source, "s s", "a source");
	ok(!mountinfo_next(&m, &entry), "lines that are none are passed over");
	mountinfo_close(&m);
	ok(find_mount("/a", &top) && top.is_image && top.dev == makedev(3, 4), "an image's mount");
	proc_text = "1 2 3:4 / /a rw - fuse.cimfs s\n1 2 5:6 / /a rw - tmpfs s\n";
	ok(find_mount("/a", &top) && !top.is_image && top.dev == makedev(5, 6),
	   "one that another is mounted over");
	proc_text = NULL;
}

static void test_stat_lines(void)
{
	static const struct {
		const char *text;
		unsigned long long start;
	} all[] = {
		{"7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 222 23", 222},
		{"7 (a) Z (b) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 222 23", 222},
		{"7 (sh) Z 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 222 23", 0},
		{"7 (sh) X 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 222 23", 0},
		{"7 (sh) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21", 0},
		{"7 (sh)S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 222 23", 0},
		{"7 sh S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 222 23", 0},
		{"7 (sh) S", 0},
		{"x", 0},
	};
	struct process p;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		proc_text = all[i].text;
		process_identify(&p, 7);
		is_int((long)p.start, (long)all[i].start, "the start of '%s'", all[i].text);
	}
	proc_text = NULL;
}

static void test_run(void)
{
	char *const good[] = {"true", NULL};
	char *const seven[] = {"sh", "-c", "echo said >&2; exit 7", NULL};
	char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
	char *const none[] = {"/nowhere/at/all", NULL};
	char *const slow[] = {"sh", "-c", "sleep 0.2; exit 5", NULL};
	char said[20] = "";
	int fds[2];

	is_int(run_program(good, -1), 0, "a program that succeeds");
	if (pipe(fds))
		bail("no pipe");
	is_int(run_program(seven, fds[1]), 7, "one that doesn't");
	close(fds[1]);
	ok(read(fds[0], said, sizeof(said) - 1) == 5 && !strcmp(said, "said\n"), "what it said");
	close(fds[0]);
	is_int(run_program(killed, -1), 128 + 9, "one that is killed");
	errno = 0;
	ok(run_program(none, -1) == -1 && errno == ENOENT, "none at all");
	alarms(20000);
	is_int(run_program(slow, -1), 5, "one that signals interrupt the wait for");
	alarms(0);
}

static void test_unmount_nothing(void)
{
	struct cim_error err = {0};
	const char *dir = in_tmp("no mount");

	mkdir(dir, 0777);
	for (int lazy = 0; lazy < 2; lazy++)
		is_int(unmount_dir(dir, lazy, &err), UNMOUNT_GONE, "what is no mount is gone%s",
		       lazy ? ", lazily" : "");
	rmdir(dir);
}

/* Descriptors of a process that begins with these of 0 to 5 closed; -1: something is wrong. */
static int begin_without(unsigned closed)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		int open_ones = 0;

		for (int fd = 0; fd < 6; fd++) {
			if (fd > 2 || closed >> fd & 1)
				close(fd);
		}
		standard_begin();
		for (int fd = 0; fd < 6; fd++)
			open_ones |= (fcntl(fd, F_GETFD) >= 0) << fd;
		_exit(open_ones);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What standard_end() gives where standard output is @path, or (NULL) closed. */
static int end_of_output(const char *path, const char *text)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		const int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			close(STDOUT_FILENO);
		printf("%s", text);
		_exit(standard_end());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_standard(void)
{
	is_int(end_of_output("/dev/null", "text"), 0, "nothing of the output is lost");
	is_int(end_of_output("/dev/full", ""), 0, "nothing is lost of nothing");
	is_int(end_of_output("/dev/full", "text"), ENOSPC, "what a full disk refuses is told");
	is_int(end_of_output(NULL, "text"), EBADF, "and that there is no output");
	is_int(end_of_output(NULL, ""), EBADF, "also where it can't be closed alone");
	for (unsigned closed = 0; closed < 8; closed++)
		is_int(begin_without(closed), 7, "0 to 2 are taken, and no more (closed: %u)",
		       closed);
}

/* ---- files ---- */

static int statx_errno;

int __real_statx(int fd, const char *name, int flags, unsigned mask, struct statx *stx);
int __wrap_statx(int fd, const char *name, int flags, unsigned mask, struct statx *stx);
int __wrap_statx(int fd, const char *name, int flags, unsigned mask, struct statx *stx)
{
	errno = statx_errno;
	return statx_errno ? -1 : __real_statx(fd, name, flags, mask, stx);
}

static bool same_stat(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_size == b->stx_size &&
	       a->stx_mode == b->stx_mode && a->stx_nlink == b->stx_nlink &&
	       a->stx_uid == b->stx_uid && a->stx_gid == b->stx_gid &&
	       a->stx_blocks == b->stx_blocks && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor && a->stx_blksize == b->stx_blksize &&
	       !memcmp(&a->stx_mtime, &b->stx_mtime, sizeof(a->stx_mtime)) &&
	       !memcmp(&a->stx_atime, &b->stx_atime, sizeof(a->stx_atime)) &&
	       !memcmp(&a->stx_ctime, &b->stx_ctime, sizeof(a->stx_ctime));
}

static void test_statx(void)
{
	static const int refused[] = {ENOSYS, EPERM, EINVAL};
	struct timespec times[2] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 7, .tv_nsec = 8}};
	struct statx own, other;
	int fd = open(in_tmp("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0640);

	ok(write(fd, "12345", 5) == 5 && !futimens(fd, times), "a file");
	symlink("file", in_tmp("link"));
	is_int(host_statx(fd, "", AT_EMPTY_PATH, &own), 0, "statx");
	for (size_t i = 0; i < 3; i++) {
		statx_errno = refused[i];
		ok(!host_statx(fd, "", AT_EMPTY_PATH, &other) && same_stat(&own, &other) &&
			   other.stx_mask == STATX_BASIC_STATS,
		   "refused by %s: the same by fstatat", strerror(refused[i]));
		ok(!host_statx(AT_FDCWD, in_tmp("link"), AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
			       &other) &&
			   S_ISLNK(other.stx_mode),
		   "and of a link");
		ok(host_statx(AT_FDCWD, in_tmp("none"), 0, &other) == -1 && errno == ENOENT,
		   "or why not");
	}
	statx_errno = EIO;
	ok(host_statx(fd, "", AT_EMPTY_PATH, &other) == -1 && errno == EIO,
	   "what else goes wrong does");
	statx_errno = 0;
	close(fd);
}

static void test_image_names(void)
{
	static const struct {
		const char *path, *dir, *name;
	} all[] = {
		{"i.cim", ".", "i.cim"},
		{"/i.cim", "/", "i.cim"},
		{"/a/i.cim", "/a", "i.cim"},
		{"a/b/i.cim", "a/b", "i.cim"},
		{"a/", "a", ""},
		{"a//i.cim", "a", "i.cim"},
		{"//i.cim", "/", "i.cim"},
		{"", ".", ""},
	};
	struct cim_error err = {0};
	char *path;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *name;
		char *dir = split_image(all[i].path, &name);

		is_str(dir, all[i].dir, "the directory of '%s'", all[i].path);
		is_str(name, all[i].name, "and the name");
		free(dir);
	}
	path = image_in("a//", "i.cim");
	is_str(path, "a/i.cim", "an image in a place");
	free(path);
	path = image_in("/", "i.cim");
	is_str(path, "/i.cim", "or at the root");
	free(path);
	path = image_path_of(in_tmp("link"));
	is_str(path, in_tmp("file"), "an image by a link is where that leads");
	free(path);
	unlink(in_tmp("file"));
	path = image_path_of(in_tmp("link"));
	is_str(path, in_tmp("link"), "but for one that leads nowhere");
	free(path);
	is_int(image_check_kind(in_tmp("link"), &err), CIM_OK,
	       "what isn't there is for others to tell");
	is_int(image_check_kind(tmp, &err), CIM_E_ACCESS, "a directory is no image");
	is_int(image_check_kind("/dev/null", &err), CIM_E_ACCESS, "nor is a device");
	unlink(in_tmp("link"));
}

static void test_is_container(void)
{
	static const char magic[] = "cimcont0";
	struct cim_error err = {0};
	const char *path = in_tmp("file");

	for (size_t len = 0; len < sizeof(magic); len++) {
		FILE *file = fopen(path, "wb");

		ok(file && fwrite(magic, 1, len, file) == len && !fclose(file),
		   "a file that begins as one");
		is_int(is_container(path), len == strlen(magic), "%zu bytes of a container", len);
	}
	is_int(image_check_kind(path, &err), CIM_E_CORRUPT, "a container is no image");
	ok(strstr(err.cause, "NAME.cim") != NULL, "and it says how one in it is named: %s",
	   err.cause);
	unlink(path);
	ok(!is_container(path), "nor is what isn't there a container");
	ok(!is_container(tmp), "nor a directory");
}

static int openat_errno;

int __wrap_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...)
{
	errno = openat_errno;
	return openat_errno ? -1 : (int)syscall(SYS_openat, fd, name, flags, 0);
}

static void test_dirs(void)
{
	struct dir *dir, *above;
	struct stat st;

	mkdir(in_tmp("sub"), 0700);
	dir = dir_new(open(in_tmp("sub"), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	stat(tmp, &st);
	above = dir_above(dir, st.st_dev, st.st_ino);
	ok(above && above->fd >= 0, "a directory above is what it was");
	dir_release(above);
	errno = 0;
	ok(!dir_above(dir, st.st_dev, st.st_ino + 1) && errno == ESTALE, "or it isn't: ESTALE");
	ok(!dir_above(dir, st.st_dev + 1, st.st_ino) && errno == ESTALE, "on another device too");
	ok(dir_use(dir) == dir, "two have it");
	dir_release(dir);
	ok(fcntl(dir->fd, F_GETFD) >= 0, "one of them lets go: it stays open");
	ok(!dir_new(-1), "none for what couldn't be opened");
	dir_release(NULL);
	openat_errno = EACCES;
	ok(!dir_above(dir, st.st_dev, st.st_ino) && errno == EACCES, "none that can't be opened");
	openat_errno = 0;
	dir_release(dir);
	rmdir(in_tmp("sub"));
}

static void say_so(void)
{
	if (write(STDERR_FILENO, "undone; ", 8) != 8)
		_exit(1);
}

/* What is said, and how the process ends, when there is no memory: @what asks for it. */
static int end_without_memory(void (*what)(void), char *said, size_t room)
{
	int fds[2], status = -1;
	size_t len = 0;
	ssize_t got;
	pid_t pid;

	if (pipe(fds))
		bail("no pipe");
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		alloc_on_failure(say_so);
		alloc_fails_with(9);
		what();
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + len, room - 1 - len)) > 0)
		len += (size_t)got;
	said[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* AddressSanitizer's allocator ends the program itself otherwise. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void too_much(void)
{
	volatile size_t most = PTRDIFF_MAX;

	free(xmalloc(most));
}

static void too_many(void)
{
	volatile size_t most = PTRDIFF_MAX / 2;

	free(xcalloc(most, 4));
}

static void too_long(void)
{
	volatile size_t most = PTRDIFF_MAX;

	free(xrealloc(xmalloc(1), most));
}

static void test_no_memory(void)
{
	static void (*const asks[])(void) = {too_much, too_many, too_long};
	const char *tail;
	char said[600];

	for (size_t i = 0; i < 3; i++) {
		is_int(end_without_memory(asks[i], said, sizeof(said)), 9,
		       "no memory, %zu: the program ends with its code", i);
		/* A sanitizer may say something, too. */
		tail = strstr(said, "undone; ");
		is_str(tail ? tail : said, "undone; t_host: out of memory\n",
		       "undoes something, and says so");
	}
}

static void test_alloc(void)
{
	size_t room = 0;
	int *array = NULL;
	char *text = xstrndup("abcdef", 3);

	for (size_t count = 0; count < 100; count++) {
		array = xgrow(array, &room, count, sizeof(*array));
		array[count] = (int)count;
	}
	ok(room == 128 && array[0] == 0 && array[99] == 99, "an array grows by doubling (%zu)",
	   room);
	is_str(text, "abc", "so many bytes of a text");
	free(text);
	free(array);
	text = xasprintf("%s", "");
	is_str(text, "", "a text of nothing");
	free(text);
	free(xmalloc(0));
	free(xcalloc(0, 0));
	free(xmemdup("", 0));
}

static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

int main(void)
{
	const char *where = getenv("TEST_TMP");
	const int files = open_files();

	snprintf(tmp, sizeof(tmp), "%s/t_host.XXXXXX", where ? where : "/tmp");
	if (!mkdtemp(tmp))
		bail("no directory");
	test_times_in();
	test_times_out();
	test_utf8();
	test_one_line();
	test_errors();
	test_ea_next();
	test_ea_ntfs();
	test_ea_bad();
	test_link_from();
	test_link_to();
	test_link_parse();
	test_words();
	test_options();
	test_wrong_options();
	test_bare_options();
	test_help();
	test_volume_names();
	test_volume_info();
	test_processes();
	test_mounts();
	test_mount_lines();
	test_stat_lines();
	test_run();
	test_unmount_nothing();
	test_standard();
	test_statx();
	test_image_names();
	test_is_container();
	test_dirs();
	test_alloc();
	test_no_memory();
	test_interrupted_wait();
	is_int(rmdir(tmp), 0, "no file is left");
	is_int(open_files(), files, "nor is one open");
	return tap_done();
}
