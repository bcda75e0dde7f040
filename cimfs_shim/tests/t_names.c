/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/names.c: which names are those of an image's files, at the borders of each
 * rule. */
#include "../core/names.h"
#include "testenv.h"

#define GUID "00112233-4455-6677-8899-aabbccddeeff"

static struct cim_vfs exact, folding = {.fold_names = true};
static struct cim_env env = {.vfs = &exact};

static void sets(void)
{
	static const struct {
		const char *name;
		int index; /* -1: none of ours */
	} cases[] = {
		{"region_" GUID "_0", 0},
		{"region_" GUID "_9", 9},
		{"objectid_" GUID "_10", 10},
		{"region_" GUID "_65535", 65535},
		{"region_" GUID "_65536", -1},
		{"region_" GUID "_131071", -1},
		{"region_" GUID "_4294967296", -1},
		{"region_" GUID "_99999999999999999999", -1},
		{"region_" GUID "_", -1},
		{"region_" GUID, -1},
		{"region_" GUID "x0", -1},
		{"region_" GUID "_00", -1},
		{"region_" GUID "_/", -1},
		{"region_" GUID "_:", -1},
		{"region_" GUID "_0x", -1},
		{"xregion_" GUID "_0", -1},
		{"region_", -1},
		{"", -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum cim_file_kind kind = CIM_KIND_IMAGE;
		struct cim_guid guid;
		uint16_t index = 4711;
		bool taken = cim_parse_set_name(&env, cases[i].name, &kind, &guid, &index);

		is_int(taken ? index : -1, cases[i].index, "set: '%s'", cases[i].name);
		is_int(kind,
		       !taken			 ? CIM_KIND_IMAGE
		       : cases[i].name[0] == 'r' ? CIM_KIND_REGION
						 : CIM_KIND_OBJECT_ID,
		       "set: '%s': its kind", cases[i].name);
	}
}

static void temporaries(void)
{
	static const struct {
		const char *name;
		int group; /* 0: none of ours */
	} cases[] = {
		{"cimtmp_0_0", 9},  {"cimtmp_9_9", 9},	 {"cimtmp_a_a", 9},
		{"cimtmp_f_z", 9},  {"cimtmp_F_Z", 9},	 {"cimtmp_09af_az09", 12},
		{"cimtmp_A_A", 9},  {"cimtmp_0_", 0},	 {"cimtmp__0", 0},
		{"cimtmp_0", 0},    {"cimtmp_g_0", 0},	 {"cimtmp_/_0", 0},
		{"cimtmp_:_0", 0},  {"cimtmp_`_0", 0},	 {"cimtmp_@_0", 0},
		{"cimtmp_0_/", 0},  {"cimtmp_0_:", 0},	 {"cimtmp_0_`", 0},
		{"cimtmp_0_{", 0},  {"cimtmp_0_@", 0},	 {"cimtmp_0_[", 0},
		{"cimtmp_0_0_", 0}, {"cimtmp_0_a.b", 0}, {"cimtmp_", 0},
		{"xcimtmp_0_0", 0}, {"cimtm", 0},	 {"cimtmp_G_0", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t group = 0;
		bool taken = cim_parse_temporary_name(&env, cases[i].name, &group);

		is_int(taken ? (int)group : 0, cases[i].group, "temporary: '%s'", cases[i].name);
	}
}

static void made(void)
{
	static const struct cim_guid guid = {{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88,
					      0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
	char name[CIM_SET_FILE_NAME];

	cim_set_file_name(name, CIM_KIND_REGION, &guid, 0);
	is_str(name, "region_" GUID "_0", "the first region's name");
	cim_set_file_name(name, CIM_KIND_OBJECT_ID, &guid, 65535);
	is_str(name, "objectid_" GUID "_65535", "the longest name fits");
	cim_set_file_name(name, CIM_KIND_REGION, &guid, 65537);
	is_str(name, "region_" GUID "_1", "a number is one of 16 bits");
	cim_temporary_name(name, "0a", CIM_KIND_IMAGE, 7);
	is_str(name, "cimtmp_0a_fs", "a session's filesystem file");
	cim_temporary_name(name, "0a", CIM_KIND_REGION, 7);
	is_str(name, "cimtmp_0a_7", "a session's region file");
	cim_temporary_name(name, "0a", CIM_KIND_OBJECT_ID, 7);
	is_str(name, "cimtmp_0a_o7", "a session's object ID file");
}

/* Only letters fold, and only where the file system does it. */
static void folded(void)
{
	static const char *const pairs[][2] = {
		{"a", "A"}, {"z", "Z"}, {"m", "M"}, {"@", "`"}, {"[", "{"}, {"0", "P"}, {"a", "b"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *a = pairs[i][0], *b = pairs[i][1];
		bool same = i < 3;

		env.vfs = &folding;
		is_int(cim_same_name(&env, a, b), same, "folded: '%s' and '%s'", a, b);
		is_int(cim_same_start(&env, a, b, 1), same, "folded: '%s' and '%s' begin", a, b);
		env.vfs = &exact;
		ok(!cim_same_name(&env, a, b), "exact: '%s' isn't '%s'", a, b);
		ok(!cim_same_start(&env, a, b, 1), "exact: '%s' doesn't begin as '%s'", a, b);
	}
	ok(!cim_same_name(&env, "ab", "a") && !cim_same_name(&env, "a", "ab"),
	   "a part of a name isn't the name");
	ok(cim_same_start(&env, "ab", "ac", 1) && !cim_same_start(&env, "ab", "ac", 2),
	   "only so much of a start is looked at");
	ok(cim_has_temporary_prefix("CimTmp_x") && !cim_has_temporary_prefix("cimtmp"),
	   "a temporary name is kept from images in any case of letters");
}

int main(void)
{
	sets();
	temporaries();
	env.vfs = &folding;
	temporaries();
	env.vfs = &exact;
	made();
	folded();
	return tap_done();
}
