/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * links.c - how many names each file has
 *
 * The format doesn't store it, so it takes a look at every directory that can be reached. A word of
 * 32 bits a FileID holds all: the four top bits are what it is, the rest counts names of a file, or
 * subdirectories of a directory. The words of a file table come into being when the first of its
 * FileIDs is met; then its records, which lie side by side, are read in one go.
 *
 * A link table that several directories share is gone through once and counts for each of them:
 * which directories share it is known only at the end, so the files in it are counted for the
 * others by a second look.
 */
#include "budget.h"
#include "reader.h"

#include <string.h>

#define IS_DIRECTORY 0x80000000u
#define VISITED	     0x40000000u
#define KNOWN	     0x20000000u /* the record could be read */
#define HIDDEN	     0x10000000u /* by a mark: it counts for nothing */
#define COUNT	     0x0fffffffu

/* Whether others share a smaller table isn't worth remembering. */
#define SMALL_TABLE 4096u

struct words {
	uint32_t count; /* files in the table */
	uint32_t word[];
};

/* A link table that is not small. */
struct shared_table {
	struct cim_link_table table;
	uint32_t directories; /* that have it */
	uint32_t subdirectories;
};

/* A directory whose table another one had before. */
struct sharer {
	uint32_t dir_id;
	uint32_t table;
};

struct cim_links {
	struct cim_image *image;
	int (*tell)(void *ctx, uint32_t file_id, const struct cim_error *why);
	void *ctx;
	struct cim_budget *budget;
	struct cim_budget *walk; /* as a walk spends, which goes through a shared table each time */
	bool too_long;		 /* it would end before the walk */
	struct words **words;	 /* by file table */
	uint64_t several;
	uint64_t bytes;

	uint32_t *todo; /* directories to be gone through */
	size_t todo_count, todo_room;
	struct shared_table *tables;
	size_t table_count, table_room;
	struct cim_hash_table map; /* by the table's offset */
	struct sharer *sharers;
	size_t sharer_count, sharer_room;
};

/* ---- words ---- */

static uint32_t *word_of(const struct cim_links *links, uint32_t file_id)
{
	const uint32_t table = (file_id - 1) / CIM_FILES_PER_TABLE;
	const uint32_t index = (file_id - 1) % CIM_FILES_PER_TABLE;
	struct words *words;

	if (!file_id || table >= links->image->info.table_count)
		return NULL;
	words = links->words[table];
	return words && index < words->count ? &words->word[index] : NULL;
}

static enum cim_status know(struct cim_links *links, uint32_t file_id, uint32_t *word,
			    struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status = cim_image_record(links->image, file_id, &record, err);

	if (!status)
		*word |= KNOWN | (cim_record_is_dir(&record) ? IS_DIRECTORY : 0) |
			 (cim_image_hides(links->image, &record) ? HIDDEN : 0);
	return status;
}

/* Make the words of a file table. A record that can't be read ends it: so it will be with all
 * behind it. They are tried again when an entry leads there. */
static enum cim_status load_table(struct cim_links *links, uint32_t number, struct cim_error *err)
{
	struct cim_file_table table;
	struct cim_place place;
	struct words *words;
	enum cim_status status = cim_image_file_table(links->image, number, &table, err);

	if (status)
		return status;
	place = (struct cim_place){.offset = table.offset,
				   .bytes = (uint64_t)table.count * table.entry_size};
	status = cim_budget_spend(links->budget, &place, err);
	if (status)
		return status;
	words = cim_zalloc(&links->image->env,
			   sizeof(*words) + table.count * sizeof(words->word[0]));
	if (!words)
		return cim_no_memory(err);
	links->words[number] = words;
	words->count = table.count;
	for (uint32_t i = 0; i < words->count; i++)
		if (know(links, number * CIM_FILES_PER_TABLE + i + 1, &words->word[i], NULL))
			break;
	return CIM_OK;
}

static enum cim_status get_word(struct cim_links *links, uint32_t file_id, uint32_t **word,
				struct cim_error *err)
{
	const uint32_t table = (file_id - 1) / CIM_FILES_PER_TABLE;
	enum cim_status status = CIM_OK;

	*word = NULL;
	if (file_id && table < links->image->info.table_count && !links->words[table])
		status = load_table(links, table, err);
	if (status)
		return status;
	*word = word_of(links, file_id);
	if (!*word)
		return cim_fail(err, CIM_E_CORRUPT, "there is no file with FileID %u",
				(unsigned)file_id);
	return **word & KNOWN ? CIM_OK : know(links, file_id, *word, err);
}

/* ---- counting ---- */

/* What can't be read is told, and counting goes on, unless no other item would fare better or the
 * listener has enough. CIM_OK is told too: now and then somebody has to be asked. */
static enum cim_status tell(struct cim_links *links, uint32_t file_id, enum cim_status status,
			    struct cim_error *err)
{
	if (status == CIM_E_NO_MEMORY || status == CIM_E_ABORTED || links->budget->over)
		return status;
	if (links->tell && links->tell(links->ctx, file_id, status ? err : NULL))
		return cim_fail(err, CIM_E_ABORTED, "stopped");
	return CIM_OK;
}

static void add(struct cim_links *links, uint32_t *word, uint32_t more)
{
	const uint32_t count = *word & COUNT;
	const uint32_t sum = more > COUNT - count ? COUNT : count + more;

	*word = (*word & ~COUNT) | sum;
	if (!(*word & IS_DIRECTORY))
		links->several += count < 2 && sum >= 2;
}

static enum cim_status add_todo(struct cim_links *links, uint32_t dir_id, struct cim_error *err)
{
	if (!cim_grow(&links->image->env, (void **)&links->todo, &links->todo_room,
		      links->todo_count, sizeof(*links->todo)))
		return cim_no_memory(err);
	links->todo[links->todo_count++] = dir_id;
	return CIM_OK;
}

static enum cim_status count_file(struct cim_links *links, uint32_t file_id, uint32_t *word,
				  struct cim_error *err)
{
	struct cim_record record;
	enum cim_status status = CIM_OK;
	uint64_t length;

	if (!(*word & COUNT))
		status = cim_image_record(links->image, file_id, &record, err);
	if (status)
		return status;
	if (!(*word & COUNT) && !(record.stream_desc & CIM_STREAM_SPARSE)) {
		length = cim_stream_length(record.stream_desc);
		if (!cim_ckd_add64(&links->bytes, links->bytes, length))
			links->bytes = UINT64_MAX;
	}
	add(links, word, 1);
	return CIM_OK;
}

/* An entry of a directory that wasn't seen before. */
static enum cim_status count_entry(struct cim_links *links, uint32_t file_id,
				   uint32_t *subdirectories, struct cim_error *err)
{
	uint32_t *word;
	enum cim_status status = get_word(links, file_id, &word, err);

	if (status || *word & HIDDEN)
		return status;
	if (!(*word & IS_DIRECTORY))
		return count_file(links, file_id, word, err);
	++*subdirectories;
	if (*word & VISITED)
		return CIM_OK;
	*word |= VISITED;
	return add_todo(links, file_id, err);
}

static enum cim_status count_table(struct cim_links *links, uint32_t dir_id,
				   const struct cim_link_table *table, uint32_t *subdirectories,
				   struct cim_error *err)
{
	const struct cim_place place = {.offset = table->offset, .bytes = table->length};
	enum cim_status status = cim_budget_spend(links->budget, &place, err);
	struct cim_link link;

	*subdirectories = 0;
	for (uint32_t i = 0; !status && i < table->count; i++) {
		status = cim_link_table_get(table, i, &link, err);
		if (!status)
			status = count_entry(links, link.file_id, subdirectories, err);
		if (status)
			status = tell(links, dir_id, status, err);
	}
	return status;
}

/* The number of a table that isn't small among links->tables; *again: it was there already. */
static enum cim_status find_table(struct cim_links *links, const struct cim_link_table *table,
				  uint32_t *number, bool *again, struct cim_error *err)
{
	const uint32_t key = cim_hash_table_key(&links->map, &table->offset, sizeof(table->offset));
	size_t cursor = 0;

	*again = true;
	while (cim_hash_table_next(&links->map, key, &cursor, number))
		if (links->tables[*number].table.offset == table->offset)
			return CIM_OK;
	*again = false;
	if (!cim_grow(&links->image->env, (void **)&links->tables, &links->table_room,
		      links->table_count, sizeof(*links->tables)) ||
	    !cim_hash_table_reserve(&links->map))
		return cim_no_memory(err);
	*number = (uint32_t)links->table_count++;
	links->tables[*number] = (struct shared_table){.table = *table};
	cim_hash_table_add(&links->map, key, *number);
	return CIM_OK;
}

static enum cim_status add_sharer(struct cim_links *links, uint32_t dir_id, uint32_t number,
				  struct cim_error *err)
{
	if (!cim_grow(&links->image->env, (void **)&links->sharers, &links->sharer_room,
		      links->sharer_count, sizeof(*links->sharers)))
		return cim_no_memory(err);
	links->sharers[links->sharer_count++] = (struct sharer){dir_id, number};
	return CIM_OK;
}

static enum cim_status count_dir(struct cim_links *links, uint32_t dir_id, struct cim_error *err)
{
	struct cim_record record;
	struct cim_link_table table;
	uint32_t number = 0, subdirectories = 0;
	bool again = false;
	enum cim_status status = cim_image_record(links->image, dir_id, &record, err);

	if (!status)
		status = cim_link_table_of_dir(links->image, &record, &table, err);
	if (status || !table.count)
		return status;
	links->too_long |= !cim_budget_take(links->walk, table.offset, table.length);
	if (table.length >= SMALL_TABLE) {
		status = find_table(links, &table, &number, &again, err);
		if (status)
			return status;
		links->tables[number].directories++;
		if (again)
			return add_sharer(links, dir_id, number, err);
	}
	status = count_table(links, dir_id, &table, &subdirectories, err);
	if (table.length >= SMALL_TABLE)
		links->tables[number].subdirectories = subdirectories;
	add(links, word_of(links, dir_id), subdirectories);
	return status;
}

/* The names of files in a table that several directories share, but for the first's. The budget has
 * room for a table once, and this is no more than once more. */
static void count_again(struct cim_links *links, const struct shared_table *shared)
{
	struct cim_link link;

	for (uint32_t i = 0; i < shared->table.count; i++) {
		uint32_t *word;

		/* What can't be read was told the first time. */
		if (cim_link_table_get(&shared->table, i, &link, NULL))
			continue;
		word = word_of(links, link.file_id);
		if (word && (*word & (KNOWN | IS_DIRECTORY | HIDDEN)) == KNOWN)
			add(links, word, shared->directories - 1);
	}
}

static enum cim_status count_all(struct cim_links *links, struct cim_error *err)
{
	const uint32_t root = links->image->info.root_id;
	uint32_t *word;
	enum cim_status status = get_word(links, root, &word, err);

	if (status)
		return status;
	*word |= VISITED;
	status = add_todo(links, root, err);
	while (!status && links->todo_count) {
		const uint32_t dir_id = links->todo[--links->todo_count];

		status = tell(links, dir_id, CIM_OK, err);
		if (!status)
			status = count_dir(links, dir_id, err);
		if (status)
			status = tell(links, dir_id, status, err);
	}
	for (size_t i = 0; !status && i < links->table_count; i++)
		if (links->tables[i].directories > 1)
			count_again(links, &links->tables[i]);
	for (size_t i = 0; !status && i < links->sharer_count; i++)
		add(links, word_of(links, links->sharers[i].dir_id),
		    links->tables[links->sharers[i].table].subdirectories);
	return status;
}

/* ---- the public functions ---- */

/* What only counting needs. */
static void free_means(struct cim_links *links)
{
	const struct cim_env *env = &links->image->env;

	cim_free(env, links->todo);
	cim_free(env, links->tables);
	cim_hash_table_free(&links->map);
	cim_free(env, links->sharers);
	cim_budget_close(links->budget);
	cim_budget_close(links->walk);
	links->todo = NULL;
	links->tables = NULL;
	links->map.slots = NULL;
	links->sharers = NULL;
	links->budget = links->walk = NULL;
}

enum cim_status cim_links_open(struct cim_image *image,
			       int (*told)(void *ctx, uint32_t file_id,
					   const struct cim_error *why),
			       void *ctx, struct cim_links **result, struct cim_error *err)
{
	static const char op[] = "count links";
	const struct cim_env *env;
	struct cim_links *links;
	struct cim_error own = {0};
	enum cim_status status;

	if (result)
		*result = NULL;
	if (CIM_ANY_NULL(err, op, image, result))
		return CIM_E_POINTER;
	env = &image->env;
	links = cim_zalloc(env, sizeof(*links));
	if (!links)
		return cim_error_where(err, cim_no_memory(err), op, image->path);
	*links = (struct cim_links){.image = image, .tell = told, .ctx = ctx};
	cim_hash_table_init(&links->map, env);
	links->words = cim_zalloc(env, image->info.table_count * sizeof(struct words *));
	status = links->words ? cim_budget_open(image, &links->budget, &own) : cim_no_memory(&own);
	if (!status)
		status = cim_budget_open(image, &links->walk, &own);
	if (!status)
		status = count_all(links, &own);
	free_means(links);
	if (!status) {
		*result = links;
		return CIM_OK;
	}
	cim_links_close(links);
	if (err)
		*err = own;
	return cim_error_where(err, status, op, image->path);
}

void cim_links_close(struct cim_links *links)
{
	const struct cim_env *env;

	if (!links)
		return;
	env = &links->image->env;
	for (uint32_t i = 0; links->words && i < links->image->info.table_count; i++)
		cim_free(env, links->words[i]);
	cim_free(env, links->words);
	cim_free(env, links);
}

uint32_t cim_links_count(const struct cim_links *links, uint32_t file_id)
{
	const uint32_t *word = links ? word_of(links, file_id) : NULL;

	return word ? *word & COUNT : 0;
}

enum cim_status cim_links_walkable(const struct cim_links *links, struct cim_error *err)
{
	if (CIM_ANY_NULL(err, "walk", links))
		return CIM_E_POINTER;
	if (!links->too_long)
		return CIM_OK;
	return cim_error_where(err, cim_budget_over(err), "walk", links->image->path);
}

uint64_t cim_links_bytes(const struct cim_links *links)
{
	return links ? links->bytes : 0;
}

uint64_t cim_links_several(const struct cim_links *links)
{
	return links ? links->several : 0;
}
