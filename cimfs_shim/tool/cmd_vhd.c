/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_vhd.c - cimtool append-vhd-footer: a container that can be attached as a fixed VHD
 *
 * Such a disk is a file with its sectors, and behind them a footer of 512 bytes that tells how many
 * they are, once as bytes and once as cylinders, heads and sectors per track. Some believe the one,
 * some the other: the disk is made so long that both say the same. Source: Microsoft's "Virtual
 * Hard Disk Image Format Specification", version 1.0.
 */
#include "tool.h"

#include <sys/stat.h>
#include <time.h>

#define SECTOR	    512u
#define FOOTER_SIZE 512u
/* What the format can say; a larger disk goes by its bytes alone. */
#define MOST_CYLINDERS 65535u
#define MOST_HEADS     16u
#define MOST_SECTORS   255u
/* The format's times begin with the year 2000. */
#define EPOCH 946684800

/* Where in the footer, and what: numbers have their most significant byte first. */
enum {
	AT_FEATURES = 8,
	AT_VERSION = 12,
	AT_DATA = 16,
	AT_TIME = 24,
	AT_CREATOR = 28,
	AT_CREATOR_VERSION = 32,
	AT_HOST = 36,
	AT_FIRST_SIZE = 40,
	AT_SIZE = 48,
	AT_CYLINDERS = 56,
	AT_HEADS = 58,
	AT_SECTORS = 59,
	AT_TYPE = 60,
	AT_CHECKSUM = 64,
	AT_ID = 68,
};
#define RESERVED_FEATURE 2u
#define FORMAT_VERSION	 0x00010000u
#define TYPE_FIXED	 2u
#define HOST_WINDOWS	 0x5769326Bu /* "Wi2k": there is none for others but the Macintosh */

struct geometry {
	unsigned cylinders, heads, sectors;
};

static uint64_t sectors_of(const struct geometry *g)
{
	return (uint64_t)g->cylinders * g->heads * g->sectors;
}

/* The specification's: so many sectors per track that the cylinders suffice. */
static struct geometry geometry_of(uint64_t total)
{
	const uint64_t most = (uint64_t)MOST_CYLINDERS * MOST_HEADS * MOST_SECTORS;
	struct geometry g = {.heads = MOST_HEADS, .sectors = MOST_SECTORS};
	uint64_t tracks;

	total = total < most ? total : most;
	tracks = total / MOST_SECTORS;
	if (total < (uint64_t)MOST_CYLINDERS * MOST_HEADS * 63) {
		g.sectors = 17;
		tracks = total / 17;
		g.heads = (unsigned)((tracks + 1023) / 1024);
		g.heads = g.heads < 4 ? 4 : g.heads;
		for (unsigned sectors = 31; sectors <= 63; sectors += 32) {
			if (tracks < g.heads * UINT64_C(1024) && g.heads <= MOST_HEADS)
				break;
			g.sectors = sectors;
			g.heads = MOST_HEADS;
			tracks = total / sectors;
		}
	}
	g.cylinders = (unsigned)(tracks / g.heads);
	return g;
}

/* The least number of sectors, at least @least, that a geometry says exactly. */
static uint64_t round_up(uint64_t least, struct geometry *g)
{
	const uint64_t most = (uint64_t)MOST_CYLINDERS * MOST_HEADS * MOST_SECTORS;

	*g = geometry_of(least);
	if (least >= most)
		return least;
	for (uint64_t total = least; sectors_of(g) < least; total++)
		*g = geometry_of(total);
	return sectors_of(g);
}

static void put_number(uint8_t *at, uint64_t value, unsigned bytes)
{
	while (bytes) {
		at[--bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* When the container was written last, so that the same one gets the same footer. */
static int time_of(struct tool *t, const char *container, uint64_t *seconds)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct stat st;
	uint64_t latest;

	if (stat(container, &st))
		return tool_fail_errno(t, "append to", container, NULL);
	*seconds = st.st_mtime > EPOCH ? (uint64_t)st.st_mtime - EPOCH : 0;
	if (epoch && *epoch && arg_number(epoch, 10, INT64_MAX, &latest)) {
		latest = latest > EPOCH ? latest - EPOCH : 0;
		*seconds = *seconds < latest ? *seconds : latest;
	}
	return EXIT_OK;
}

/* What tells the disk from others: of a sealed one its root hash. */
static enum cim_status take_id(const struct cim_container_info *info, uint8_t *id)
{
	const struct cim_env *env = cim_env_default();

	if (!info->sealed)
		return env->random(env->random_ctx, id, 16);
	memcpy(id, info->root_hash, 16);
	return CIM_OK;
}

static void make_footer(uint8_t *footer, uint64_t size, const struct geometry *g, uint64_t seconds)
{
	uint32_t sum = 0;

	memcpy(footer, VHD_COOKIE, strlen(VHD_COOKIE));
	put_number(footer + AT_FEATURES, RESERVED_FEATURE, 4);
	put_number(footer + AT_VERSION, FORMAT_VERSION, 4);
	put_number(footer + AT_DATA, UINT64_MAX, 8);
	put_number(footer + AT_TIME, seconds, 4);
	memcpy(footer + AT_CREATOR, "cim ", 4);
	put_number(footer + AT_CREATOR_VERSION, FORMAT_VERSION, 4);
	put_number(footer + AT_HOST, HOST_WINDOWS, 4);
	put_number(footer + AT_FIRST_SIZE, size, 8);
	put_number(footer + AT_SIZE, size, 8);
	put_number(footer + AT_CYLINDERS, g->cylinders, 2);
	put_number(footer + AT_HEADS, g->heads, 1);
	put_number(footer + AT_SECTORS, g->sectors, 1);
	put_number(footer + AT_TYPE, TYPE_FIXED, 4);
	for (unsigned i = 0; i < FOOTER_SIZE; i++)
		sum += footer[i];
	put_number(footer + AT_CHECKSUM, ~sum, 4);
}

static void print_result(struct tool *t, const char *container, uint64_t size,
			 const struct geometry *g)
{
	char text[32];
	json_t *o;

	if (t->json) {
		o = json_summary(t);
		json_put_text(o, "container", container);
		json_put_int(o, "disk_size", size);
		json_put_int(o, "cylinders", g->cylinders);
		json_put_int(o, "heads", g->heads);
		json_put_int(o, "sectors", g->sectors);
		json_print(stdout, o);
	} else if (!t->quiet) {
		put_escaped(stdout, container);
		printf(": a fixed VHD of %s (%u cylinders, %u heads, %u sectors)\n",
		       size_text(size, text, sizeof(text)), g->cylinders, g->heads, g->sectors);
	}
}

static int append(struct tool *t, const char *container, const struct cim_container_info *info)
{
	const uint64_t bytes = info->sealed ? info->file_size : info->size;
	uint8_t footer[FOOTER_SIZE] = {0};
	struct cim_error err = {0};
	enum cim_status status;
	struct geometry g;
	const uint64_t size = round_up((bytes + SECTOR - 1) / SECTOR, &g) * SECTOR;
	uint64_t seconds = 0;
	bool unlocked;
	int code = time_of(t, container, &seconds);

	if (code)
		return code;
	if (take_id(info, footer + AT_ID))
		return tool_fail(t, "append to", container, NULL,
				 "the system gives no random numbers");
	make_footer(footer, size, &g, seconds);
	tool_outlive_readers();
	/* Soon done: nobody ends it between. */
	tool_catch_signals();
	status = cim_container_append(NULL, container, size, footer, sizeof(footer), &unlocked,
				      &err);
	if (unlocked)
		tool_tell_unlocked(t, "append to", container);
	if (status)
		return tool_fail_dir(t, "append to", container, &err);
	t->done = "the footer is there all the same";
	print_result(t, container, size, &g);
	return EXIT_OK;
}

static int append_footer(struct tool *t, const char *container)
{
	struct cim_container_info info = {CIM_SIZED(info)};
	struct cim_error err = {0};
	struct footer footer;

	if (cim_container_get_info(NULL, container, &info, &err))
		return tool_fail_cim(t, "look at", container, &err);
	if (info.device)
		return tool_usage(t, "'%s' is a device, which needs no footer", container);
	footer_look(&footer, container);
	if (footer.found && (uint64_t)footer.at >= info.size)
		return tool_fail(t, "append to", container, NULL, "there is a VHD footer already");
	return append(t, container, &info);
}

static int run(struct tool *t, int argc, char **argv)
{
	int code = tool_args(t, argc, argv, NULL, 1, 1, "CONTAINER is missing");
	char *container;

	if (code)
		return code;
	if (image_in_file(argv[optind]))
		return tool_usage(t, "'%s' names an image, not a container", argv[optind]);
	container = bare_place(argv[optind]);
	code = append_footer(t, container);
	free(container);
	return code;
}

const struct command cmd_vhd = {
	.name = "append-vhd-footer",
	.usage = "[OPTION]... CONTAINER",
	.summary = "let a container be attached as a fixed VHD",
	.about =
		"Appends to the container, sealed or not, as many zeros as a disk needs to have a "
		"length that all agree on, and the footer by which others take the file for a disk "
		"of fixed size. Who reads the container leaves it alone; writing to the container "
		"cuts it off again, which is told.",
	.notes = "The file of a VHD is to be called NAME.vhd, and Windows attaches none that is "
		 "sparse there.",
	.run = run,
};
