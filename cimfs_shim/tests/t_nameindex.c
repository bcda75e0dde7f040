/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of link tables in no order: found as by going through the table from its beginning, without
 * going through it each time.
 */
#include "minicim.h"
#include "tap.h"

#include <pthread.h>

static struct cim_error err;

/* Names that another writer may have sorted elsewhere: digits, and U+E000 behind them. So long that
 * a cache doesn't hold half a table of many. */
enum { NAME_UNITS = 60 };

static struct mini_link odd_link(unsigned number, uint32_t id)
{
	char text[NAME_UNITS + 1];
	struct mini_link link;

	snprintf(text, sizeof(text), "n%0*u", NAME_UNITS - 2, number);
	link = mini_link(text, id, 0);
	link.name[link.units++] = 0xe000;
	return link;
}

static void at_most(unsigned long got, unsigned long most, const char *what)
{
	ok(got <= most, "%s", what);
	if (got > most)
		diag("%lu, no more than %lu", got, most);
}

/* Another order, the same each time: neither that of code units nor that of code points. */
static void shuffle(struct mini_link *links, size_t count)
{
	uint64_t x = 7;

	for (size_t i = count; i > 1; i--) {
		struct mini_link last = links[i - 1];
		size_t other;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		other = (size_t)(x >> 33) % i;
		links[i - 1] = links[other];
		links[other] = last;
	}
}

static bool same(const struct mini_link *a, const struct mini_link *b, bool exact)
{
	return !mini_compare(a, b) &&
	       (!exact || !memcmp(a->name, b->name, a->units * sizeof(*a->name)));
}

/* Which entry going through them would find. */
static size_t first_of(const struct mini_link *links, size_t count, const struct mini_link *name,
		       bool exact)
{
	size_t i = 0;

	while (i < count && !same(&links[i], name, exact))
		i++;
	return i;
}

/* Is it the right answer for a name? (Of several, the one that a binary search meets will do.) */
static bool answers(const struct mini_link *links, size_t count, const struct mini_link *name,
		    bool exact, uint32_t id, enum cim_status status)
{
	if (first_of(links, count, name, exact) == count)
		return status == CIM_E_FILE_NOT_FOUND;
	for (size_t i = 0; i < count; i++)
		if (links[i].value[0] == id)
			return same(&links[i], name, exact);
	return false;
}

/* FileID of a name, 0 if there is none. */
static uint32_t look_up(struct cim_image *image, uint32_t dir, const struct mini_link *name,
			bool exact, enum cim_status *status)
{
	struct cim_str text = {.utf16 = name->name, .units = name->units};
	uint32_t id = 0;

	*status = cim_image_lookup_at(image, dir, text, exact, &id, &err);
	return *status ? 0 : id;
}

/* Each name, each other spelling of it and each that isn't there. */
static void test_as_a_scan(void)
{
	static const size_t counts[] = {1, 63, 64, 65, 66, 1000};

	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		const size_t count = counts[c];
		struct mini_link *links = (struct mini_link *)calloc(count, sizeof(*links));
		struct mini *m = mini_new();
		struct cim_image *image;
		unsigned wrong = 0;

		mini_begin(m, 1, 0);
		for (size_t i = 0; i < count; i++) {
			/* Each third is another spelling of the one before, each seventh the same.
			 */
			links[i] = odd_link((unsigned)(i - (i % 3 == 2)), mini_record(m));
			links[i].name[0] = i % 7 != 6 && i % 3 == 2 ? 'N' : 'n';
		}
		shuffle(links, count);
		mini_finish_dir(m, "u.cim", 0, links, count, false);
		image = mini_open(m, "mem/u.cim");
		for (size_t i = 0; i < 4 * (count + 10); i++) {
			struct mini_link name = odd_link((unsigned)i / 4, 0);
			const bool exact = i % 2;
			enum cim_status status;
			uint32_t id;

			name.name[0] = i & 2 ? 'N' : 'n';
			id = look_up(image, m->root, &name, exact, &status);
			wrong += !answers(links, count, &name, exact, id, status);
		}
		is_int(wrong, 0, "names of a table of %zu in no order: wrongly found", count);
		cim_image_close(image);
		ok(mini_is_clean(m), "and nothing is left");
		mini_free(m);
		free(links);
	}
}

/* How often a file is read when each hundredth of the names is looked up that are or could be in a
 * table of them. The block cache is smaller than the table. */
static unsigned long reads_for(struct mini *m, const struct mini_link *names, size_t count,
			       bool exact, bool there)
{
	struct cim_image *image = mini_open(m, "mem/u.cim");
	unsigned long before = m->fs->count[MEM_PREAD];
	unsigned wrong = 0;

	for (size_t i = 0; i < count; i += 100) {
		enum cim_status status;

		wrong += !look_up(image, m->root, &names[i], exact, &status) == there;
	}
	is_int(wrong, 0, "all of them are %s", there ? "found" : "missing");
	before = m->fs->count[MEM_PREAD] - before;
	cim_image_close(image);
	return before;
}

enum { MANY = 100000, MANY_READS = 100000 };

static struct mini *many_names(struct mini_link *links, bool sorted)
{
	struct mini *m = mini_new();

	mini_begin(m, 1, 0);
	mini_record(m);
	mini_finish_dir(m, "u.cim", 0, links, MANY, sorted);
	return m;
}

static void test_work(void)
{
	struct mini_link *links = (struct mini_link *)calloc(MANY, sizeof(*links));
	struct mini_link *others = (struct mini_link *)calloc(MANY, sizeof(*links));

	for (int sorted = 0; sorted < 2; sorted++) {
		struct mini *m;
		unsigned long reads;

		for (unsigned i = 0; i < MANY; i++) {
			links[i] = odd_link(i, 2);
			others[i] = odd_link(i, 0);
			others[i].name[0] = 'm';
		}
		if (!sorted)
			shuffle(links, MANY);
		m = many_names(links, sorted);
		reads = reads_for(m, links, MANY, true, true);
		at_most(reads, MANY_READS,
			sorted ? "1,000 of 100,000 names in order: reads"
			       : "1,000 of 100,000 names in no order: reads");
		reads = reads_for(m, others, MANY, false, false);
		at_most(reads, MANY_READS, "1,000 that aren't there: reads");
		mini_free(m);
	}
	free(links);
	free(others);
}

/* Spellings of one name, of which each is one that a directory can't have besides another. */
static void test_spellings(void)
{
	struct mini_link *links = (struct mini_link *)calloc(MANY, sizeof(*links));
	struct mini *m;
	unsigned long reads;

	for (unsigned i = 0; i < MANY; i++) {
		links[i] = mini_link("abcdefghijklmnopq, and what makes it as long as one of those",
				     2, 0);
		for (unsigned bit = 0; bit < 17; bit++)
			links[i].name[bit] -= i >> bit & 1 ? 0x20 : 0;
	}
	m = many_names(links, false);
	reads = reads_for(m, links, MANY, true, true);
	at_most(reads, MANY_READS, "1,000 of 100,000 spellings of a name, exactly: reads");
	mini_free(m);
	free(links);
}

/* ---- what goes wrong ---- */

enum { SOME = 500 };

static struct mini *some_names(struct mini_link *links)
{
	struct mini *m = mini_new();

	mini_begin(m, 1, 0);
	for (unsigned i = 0; i < SOME; i++)
		links[i] = odd_link(i, mini_record(m));
	shuffle(links, SOME);
	mini_finish_dir(m, "u.cim", 0, links, SOME, false);
	return m;
}

/* How many of the names are found, and how often each answer comes for the others. */
static void count_found(struct cim_image *image, uint32_t root, const struct mini_link *links,
			unsigned *found, unsigned *corrupt)
{
	*found = *corrupt = 0;
	for (unsigned i = 0; i < SOME; i++) {
		enum cim_status status;
		uint32_t id = look_up(image, root, &links[i], true, &status);

		*found += id && id == links[i].value[0];
		*corrupt += status == CIM_E_CORRUPT;
	}
}

static void test_unreadable_name(void)
{
	static struct mini_link links[SOME];
	static const struct {
		unsigned place, corrupt; /* names that can't be looked for, at most */
	} rows[] = {{0, SOME}, {3, SOME - 3}, {SOME - 1, SOME / 10}};

	for (size_t p = 0; p < sizeof(rows) / sizeof(rows[0]); p++) {
		struct mini *m = some_names(links);
		uint64_t table = 0;
		struct cim_image *image;
		unsigned found, corrupt;

		for (int i = 0; i < 6; i++)
			table |= (uint64_t)m->records[0][40 + i] << 8 * i;
		mini_le(mini_region_file(m, 0)->bytes + table + 8 + 4 * SOME + 4 * rows[p].place, 1,
			4);
		image = mini_open(m, "mem/u.cim");
		count_found(image, m->root, links, &found, &corrupt);
		is_int(found + corrupt, SOME,
		       "name %u can't be read: another is found or can't be looked for",
		       rows[p].place);
		at_most(corrupt, rows[p].corrupt, "those that can't be looked for");
		cim_image_close(image);
		mini_free(m);
	}
}

static void test_without_memory(void)
{
	static struct mini_link links[SOME];
	struct mini *m = some_names(links);
	struct cim_image *image = mini_open(m, "mem/u.cim");
	unsigned found, corrupt, wrong = 0;
	enum cim_status status;

	/* What every look-up needs is there. */
	look_up(image, m->root, &links[0], true, &status);
	cim_image_close(image);
	for (unsigned long n = 1; n < 12; n++) {
		image = mini_open(m, "mem/u.cim");
		cim_image_lookup_at(image, m->root, cim_str8("n"), true, &(uint32_t){0}, &err);
		m->fs->fail_alloc = m->fs->allocs + n;
		m->fs->fail_alloc_on = true;
		count_found(image, m->root, links, &found, &corrupt);
		wrong += SOME - found;
		m->fs->fail_alloc = 0;
		cim_image_close(image);
	}
	is_int(wrong, 0, "without memory the names are gone through");
	ok(mini_is_clean(m), "and nothing is left");
	mini_free(m);
}

static void test_read_errors(void)
{
	static struct mini_link links[SOME];
	struct mini *m = some_names(links);
	unsigned failures = 0, wrong = 0, found, corrupt;

	for (unsigned long n = 1;; n++) {
		struct cim_image *image = mini_open(m, "mem/u.cim");
		enum cim_status status;
		uint32_t id;

		m->fs->fail_at = m->fs->ops + n;
		m->fs->fail_status = CIM_E_IO;
		id = look_up(image, m->root, &links[n % SOME], true, &status);
		wrong += status ? status != CIM_E_IO : id != links[n % SOME].value[0];
		failures += status != 0;
		m->fs->fail_at = 0;
		count_found(image, m->root, links, &found, &corrupt);
		wrong += found != SOME;
		cim_image_close(image);
		if (!status)
			break;
	}
	ok(failures > 3, "reads that fail: %u", failures);
	is_int(wrong, 0, "each is an error then, and forgotten later");
	mini_free(m);
}

/* ---- one table, read as two ---- */

enum { BOTH = 100 };

/* Bytes that are a directory's table and a stream table too: the name offsets of the two lie apart,
 * and lead to other names. */
static uint64_t put_both(struct mini *m, const struct mini_link *links, size_t *length)
{
	const size_t head = 8 + 20 * BOTH, each = 2 + 2 * NAME_UNITS;
	uint8_t *bytes = (uint8_t *)calloc(1, head + 2 * BOTH * each);
	uint64_t offset;

	*length = head + 2 * BOTH * each;
	mini_le(bytes, *length, 4);
	mini_le(bytes + 4, BOTH, 4);
	for (unsigned i = 0; i < 2 * BOTH; i++) {
		const size_t at = head + i * each;

		mini_le(bytes + 8 + (i < BOTH ? 4 : 12) * BOTH + 4 * (size_t)i, at, 4);
		mini_le(bytes + at, links[i].units, 2);
		for (size_t j = 0; j < links[i].units; j++)
			mini_le(bytes + at + 2 + 2 * j, links[i].name[j], 2);
	}
	for (unsigned i = 0; i < BOTH; i++)
		mini_le(bytes + 8 + 4 * (size_t)i, 2, 4);
	offset = mini_put(m, 0, bytes, *length, 8);
	free(bytes);
	return offset;
}

static void test_two_kinds(void)
{
	static struct mini_link links[2 * BOTH];
	struct mini *m = mini_new();
	struct cim_image *image;
	unsigned found[2][2] = {{0}};
	uint64_t offset;
	uint32_t file;
	size_t length;

	mini_begin(m, 1, 0);
	file = mini_record(m);
	for (unsigned i = 0; i < 2 * BOTH; i++)
		links[i] = odd_link(i, 0);
	shuffle(links, 2 * BOTH);
	offset = put_both(m, links, &length);
	mini_stream(m, m->root, offset, length, 1, false);
	mini_field(m, file, 80, offset, 8);
	mini_finish(m, "u.cim", 0);
	image = mini_open(m, "mem/u.cim");
	for (unsigned i = 0; i < 2 * BOTH; i++) {
		struct cim_str name = {.utf16 = links[i].name, .units = links[i].units};
		struct cim_data data = {CIM_SIZED(data)};
		enum cim_status status;

		found[0][i / BOTH] += look_up(image, m->root, &links[i], false, &status) != 0;
		status = cim_image_get_data(image, file, name, &data, &err);
		found[1][i / BOTH] += status != CIM_E_FILE_NOT_FOUND;
	}
	is_int(found[0][0], BOTH, "as a directory it has its own names");
	is_int(found[0][1], 0, "and no other");
	is_int(found[1][0], 0, "as a stream table it hasn't these");
	is_int(found[1][1], BOTH, "but its own");
	cim_image_close(image);
	mini_free(m);
}

/* ---- many tables ---- */

enum { TABLES = 80, EACH = 12000, THREADS = 4 };

struct tables {
	struct mini *m;
	struct cim_image *image;
	uint32_t dirs[TABLES];
};

/* A directory a table: one in each holds what no other does. */
static void make_tables(struct tables *t)
{
	struct mini_link *links = (struct mini_link *)calloc(EACH, sizeof(*links));
	struct mini *m = t->m = mini_new();

	mini_begin(m, 1, 0);
	for (unsigned d = 0; d < TABLES; d++) {
		for (unsigned i = 0; i < EACH; i++)
			links[i] = odd_link(d * EACH + i, d + 1);
		shuffle(links, EACH);
		t->dirs[d] = mini_record(m);
		mini_dir(m, t->dirs[d], 0, links, EACH, false);
	}
	mini_finish(m, "u.cim", 0);
	t->image = mini_open(m, "mem/u.cim");
	free(links);
}

/* Look a name up in one table after the other, from one on. */
static unsigned wrong_in_tables(const struct tables *t, unsigned from, unsigned count)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < count; i++) {
		const unsigned table = (from + i) % TABLES;
		struct mini_link name = odd_link(table * EACH + EACH / 2, 0);
		struct cim_str text = {.utf16 = name.name, .units = name.units};
		struct cim_error error;
		uint32_t id;

		wrong += cim_image_lookup_at(t->image, t->dirs[table], text, true, &id, &error) ||
			 id != table + 1;
	}
	return wrong;
}

struct job {
	const struct tables *tables;
	unsigned from, wrong;
};

static void *run(void *arg)
{
	struct job *job = (struct job *)arg;

	job->wrong = wrong_in_tables(job->tables, job->from, 30);
	return NULL;
}

/* They begin at the same table, and meet each other's later. */
static unsigned wrong_in_threads(const struct tables *t)
{
	pthread_t threads[THREADS];
	struct job jobs[THREADS];
	unsigned wrong = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){t, i / 2 * 10, 0};
		if (pthread_create(&threads[i], NULL, run, &jobs[i]))
			bail("no thread");
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		wrong += jobs[i].wrong;
	}
	return wrong;
}

/* The index of a table that is used between all others stays: what is read for it, in bytes. */
static uint64_t read_for_the_first(const struct tables *t, unsigned *wrong)
{
	uint64_t bytes = 0;

	*wrong = wrong_in_tables(t, 0, 1);
	for (unsigned i = 1; i < TABLES; i++) {
		uint64_t before;

		*wrong += wrong_in_tables(t, i, 1);
		before = t->m->fs->bytes_read;
		*wrong += wrong_in_tables(t, 0, 1);
		bytes += t->m->fs->bytes_read - before;
	}
	return bytes;
}

static void test_bound(void)
{
	struct tables t;
	uint64_t bytes;
	unsigned wrong;
	long before;

	make_tables(&t);
	before = t.m->fs->bytes;
	is_int(wrong_in_tables(&t, 0, TABLES + 3), 0, "names of more tables than are kept");
	/* Blocks of metadata 4 MiB, the upcase table, and 8 MiB of indexes and one that is made. */
	at_most((unsigned long)(t.m->fs->peak_bytes - before), 13 << 20, "the bytes they take");
	is_int(wrong_in_threads(&t), 0, "by several threads at once");
	bytes = read_for_the_first(&t, &wrong);
	is_int(wrong, 0, "names of one table between those of all others");
	at_most((unsigned long)bytes, TABLES * 4 * 4096, "the bytes read for it");
	cim_image_close(t.image);
	ok(mini_is_clean(t.m), "and all is given back");
	mini_free(t.m);
}

int main(void)
{
	test_as_a_scan();
	test_work();
	test_spellings();
	test_unreadable_name();
	test_without_memory();
	test_read_errors();
	test_two_kinds();
	test_bound();
	return tap_done();
}
