/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * windows.c - Windows' metadata for a reader's eyes: attributes, security descriptors, tags
 *
 * A self-relative security descriptor: revision, a pad byte, a control word, four u32 offsets
 * (owner, group, SACL, DACL; 0 for none), all little-endian. A SID: revision 1, count, six bytes of
 * authority in big-endian order, count u32. An ACL: revision, pad, size u16, count u16, pad u16,
 * then its entries, each with type, flags and size u16 in front. SDDL is the text that Windows'
 * tools write for them. Every offset comes from an image and is checked.
 */
#include "tool.h"

/* ---- attributes ---- */

const char *attribute_letters(uint32_t attributes, char buf[8])
{
	static const struct {
		uint32_t bit;
		char letter;
	} letters[] = {
		{CIM_ATTR_DIRECTORY, 'D'}, {CIM_ATTR_READONLY, 'R'}, {CIM_ATTR_HIDDEN, 'H'},
		{CIM_ATTR_SYSTEM, 'S'},	   {CIM_ATTR_ARCHIVE, 'A'},  {CIM_ATTR_SPARSE, 'P'},
		{CIM_ATTR_REPARSE, 'L'},
	};

	for (size_t i = 0; i < 7; i++)
		buf[i] = attributes & letters[i].bit ? letters[i].letter : '-';
	buf[7] = '\0';
	return buf;
}

/* ---- security descriptors ---- */

#define SE_DACL_PRESENT	  0x0004
#define SE_SACL_PRESENT	  0x0010
#define SE_DACL_AUTO_REQ  0x0100
#define SE_DACL_AUTO	  0x0400
#define SE_DACL_PROTECTED 0x1000
#define SE_SELF_RELATIVE  0x8000
#define SD_HEADER	  20

static bool put_sid(struct text *text, const uint8_t *p, size_t size, size_t *used)
{
	static const struct {
		const char *sid;
		const char *name;
	} known[] = {
		{"S-1-1-0", "WD"},	{"S-1-3-0", "CO"},	{"S-1-3-1", "CG"},
		{"S-1-3-4", "OW"},	{"S-1-5-2", "NU"},	{"S-1-5-4", "IU"},
		{"S-1-5-6", "SU"},	{"S-1-5-7", "AN"},	{"S-1-5-9", "ED"},
		{"S-1-5-10", "PS"},	{"S-1-5-11", "AU"},	{"S-1-5-12", "RC"},
		{"S-1-5-18", "SY"},	{"S-1-5-19", "LS"},	{"S-1-5-20", "NS"},
		{"S-1-5-32-544", "BA"}, {"S-1-5-32-545", "BU"}, {"S-1-5-32-546", "BG"},
		{"S-1-5-32-547", "PU"}, {"S-1-5-32-551", "BO"}, {"S-1-15-2-1", "AC"},
		{"S-1-16-4096", "LW"},	{"S-1-16-8192", "ME"},	{"S-1-16-12288", "HI"},
		{"S-1-16-16384", "SI"},
	};
	char sid[24 + 15 * 11];
	uint64_t authority = 0;
	size_t len;

	if (size < 8 || p[0] != 1 || p[1] > 15 || size - 8 < p[1] * 4u)
		return false;
	for (size_t i = 2; i < 8; i++)
		authority = authority << 8 | p[i];
	len = (size_t)snprintf(sid, sizeof(sid), authority >> 32 ? "S-1-0x%llx" : "S-1-%llu",
			       (unsigned long long)authority);
	for (size_t i = 0; i < p[1]; i++)
		len += (size_t)snprintf(sid + len, sizeof(sid) - len, "-%u",
					(unsigned)get32(p + 8 + i * 4));
	*used = 8 + p[1] * 4u;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(sid, known[i].sid)) {
			text_puts(text, known[i].name);
			return true;
		}
	}
	text_puts(text, sid);
	return true;
}

static void put_rights(struct text *text, uint32_t mask)
{
	static const struct {
		uint32_t mask;
		const char *name;
	} known[] = {
		{0x001F01FF, "FA"}, {0x00120089, "FR"}, {0x00120116, "FW"}, {0x001200A0, "FX"},
		{0x10000000, "GA"}, {0x80000000, "GR"}, {0x40000000, "GW"}, {0x20000000, "GX"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (mask == known[i].mask) {
			text_puts(text, known[i].name);
			return;
		}
	}
	text_printf(text, "0x%x", (unsigned)mask);
}

static void put_flags(struct text *text, uint8_t flags)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} known[] = {
		{0x02, "CI"}, {0x01, "OI"}, {0x04, "NP"}, {0x08, "IO"},
		{0x10, "ID"}, {0x40, "SA"}, {0x80, "FA"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (flags & known[i].bit)
			text_puts(text, known[i].name);
	}
}

static void put_guid(struct text *text, const uint8_t *p)
{
	struct cim_guid guid;
	char s[CIM_GUID_TEXT];

	memcpy(guid.bytes, p, sizeof(guid.bytes));
	cim_guid_format(&guid, s);
	text_puts(text, s);
}

/* The GUIDs of an object entry; advances *p. */
static bool put_object(struct text *text, const uint8_t **p, size_t *size)
{
	uint32_t which;

	if (*size < 4)
		return false;
	which = get32(*p);
	*p += 4;
	*size -= 4;
	for (unsigned bit = 1; bit <= 2; bit <<= 1) {
		text_puts(text, ";");
		if (!(which & bit))
			continue;
		if (*size < 16)
			return false;
		put_guid(text, *p);
		*p += 16;
		*size -= 16;
	}
	return true;
}

static bool put_ace(struct text *text, const uint8_t *p, size_t size)
{
	static const char *const types[] = {
		[0x00] = "A",  [0x01] = "D",  [0x02] = "AU", [0x03] = "AL",
		[0x05] = "OA", [0x06] = "OD", [0x07] = "OU", [0x08] = "OL",
		[0x11] = "ML", [0x12] = "RA", [0x13] = "SP",
	};
	bool object = p[0] >= 0x05 && p[0] <= 0x08;
	const char *type = p[0] < sizeof(types) / sizeof(types[0]) ? types[p[0]] : NULL;
	size_t used;

	/* What this doesn't know (callback and claim entries) is shown as bytes. */
	if (!type || size < 8) {
		text_printf(text, "(0x%02x;", p[0]);
		put_flags(text, p[1]);
		text_puts(text, ";;;;");
		if (size > 4)
			text_hex(text, p + 4, size - 4);
		text_puts(text, ")");
		return true;
	}
	text_printf(text, "(%s;", type);
	put_flags(text, p[1]);
	text_puts(text, ";");
	if (p[0] == 0x11)
		text_printf(text, "%s%s%s", p[4] & 1 ? "NW" : "", p[4] & 2 ? "NR" : "",
			    p[4] & 4 ? "NX" : "");
	else
		put_rights(text, get32(p + 4));
	p += 8;
	size -= 8;
	if (!object)
		text_puts(text, ";;");
	else if (!put_object(text, &p, &size))
		return false;
	text_puts(text, ";");
	if (!put_sid(text, p, size, &used))
		return false;
	text_puts(text, ")");
	return true;
}

static bool put_acl(struct text *text, const uint8_t *sd, size_t size, uint32_t offset)
{
	size_t left;
	const uint8_t *p;
	unsigned count;

	if (offset < SD_HEADER || offset > size || size - offset < 8)
		return false;
	p = sd + offset;
	left = get16(p + 2);
	if (left < 8 || left > size - offset)
		return false;
	count = get16(p + 4);
	p += 8;
	left -= 8;
	for (; count; count--) {
		size_t len;

		if (left < 4)
			return false;
		len = get16(p + 2);
		if (len < 4 || len > left || !put_ace(text, p, len))
			return false;
		p += len;
		left -= len;
	}
	return true;
}

static bool put_owner(struct text *text, const char *tag, const uint8_t *sd, size_t size,
		      uint32_t offset)
{
	size_t used;

	if (!offset)
		return true;
	if (offset < SD_HEADER || offset > size)
		return false;
	text_puts(text, tag);
	return put_sid(text, sd + offset, size - offset, &used);
}

/* One of the two lists, if the descriptor has it. */
static bool put_list(struct text *text, const uint8_t *sd, size_t size, bool sacl)
{
	const uint16_t control = get16(sd + 2);
	const uint16_t bits = sacl ? control >> 1 : control; /* the SACL's lie beside the DACL's */
	const uint32_t offset = get32(sd + (sacl ? 12 : 16));

	if (!(control & (sacl ? SE_SACL_PRESENT : SE_DACL_PRESENT)))
		return true;
	text_printf(text, "%c:%s%s%s", sacl ? 'S' : 'D', bits & SE_DACL_PROTECTED ? "P" : "",
		    bits & SE_DACL_AUTO_REQ ? "AR" : "", bits & SE_DACL_AUTO ? "AI" : "");
	if (offset)
		return put_acl(text, sd, size, offset);
	text_puts(text, "NO_ACCESS_CONTROL");
	return true;
}

bool sddl_format(struct text *text, const uint8_t *sd, size_t size)
{
	const size_t start = text->len;

	if (size < SD_HEADER || sd[0] != 1)
		return false;
	if (get16(sd + 2) & SE_SELF_RELATIVE && put_owner(text, "O:", sd, size, get32(sd + 4)) &&
	    put_owner(text, "G:", sd, size, get32(sd + 8)) && put_list(text, sd, size, false) &&
	    put_list(text, sd, size, true))
		return true;
	text_cut(text, start);
	return false;
}

/* ---- reparse points ---- */

const char *reparse_tag_name(uint32_t tag)
{
	static const struct {
		uint32_t tag;
		const char *name;
	} known[] = {
		{CIM_TAG_MOUNT_POINT, "MOUNT_POINT"},
		{CIM_TAG_SYMLINK, "SYMLINK"},
		{0x80000017, "WOF"},
		{0x80000013, "DEDUP"},
		{0x8000001B, "APPEXECLINK"},
		{0x80000018, "WCI"},
		{0x90001018, "WCI_1"},
		{0xA0000027, "WCI_LINK"},
		{0xA000001F, "WCI_TOMBSTONE"},
		{0xA000001D, "LX_SYMLINK"},
		{0x80000023, "AF_UNIX"},
		{0x80000024, "LX_FIFO"},
		{0x80000025, "LX_CHR"},
		{0x80000026, "LX_BLK"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].tag == tag)
			return known[i].name;
	}
	return NULL;
}
