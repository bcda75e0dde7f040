/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.c - a directory's names in a form that is the same in every run
 *
 * Names hold GUIDs, which are random: neither they nor the order that sorting gives them may be
 * seen in a result. So a GUID becomes a number, which it keeps for the rest of the case. Those that
 * a listing shows for the first time are numbered in the order of what they name: of the names
 * that hold one of them, with a "*" in its place.
 */
#include "kit.h"

#define GUID_LENGTH 36

struct listing
{
    char *names[200];
    int count;
};

/* A GUID not met before, and the names that hold it. */
struct newcomer
{
    char guid[GUID_LENGTH + 1];
    char holders[2000];
};

static char known[20][GUID_LENGTH + 1];
static int known_count;

void listing_begin(void)
{
    known_count = 0;
}

static bool is_hex(char letter)
{
    return (letter >= '0' && letter <= '9') || ((letter | 32) >= 'a' && (letter | 32) <= 'f');
}

static bool is_guid(const char *text)
{
    size_t i;

    for (i = 0; i < GUID_LENGTH; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !is_hex(text[i]))
            return false;
    return true;
}

static int find_known(const char *guid)
{
    int i;

    for (i = 0; i < known_count && _strnicmp(known[i], guid, GUID_LENGTH); i++)
    {
    }
    return i;
}

static void replace_number(char *out, const char *guid, const void *ctx)
{
    sprintf(out, "<guid%d>", find_known(guid) + 1);
    (void)ctx;
}

/* The one GUID becomes "*", others are all alike. */
static void replace_one(char *out, const char *guid, const void *ctx)
{
    strcpy(out, !_strnicmp(guid, ctx, GUID_LENGTH) ? "*" : "<guid>");
}

/* A name with its GUIDs replaced, and other hexadecimal runs. */
static void rewrite(char *out, size_t room, const char *name,
                    void replace(char *out, const char *guid, const void *ctx), const void *ctx)
{
    char *end = out + room - 16;
    size_t length;

    while (*name && out < end)
    {
        if (is_guid(name))
        {
            replace(out, name, ctx);
            name += GUID_LENGTH;
            out += strlen(out);
            continue;
        }
        for (length = 0; is_hex(name[length]); length++)
        {
        }
        if (length >= 8)
            out += sprintf(out, "<hex>");
        else
            *out++ = *name, length = 1;
        name += length;
    }
    *out = 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_newcomers(const void *a, const void *b)
{
    return strcmp(((const struct newcomer *)a)->holders, ((const struct newcomer *)b)->holders);
}

/* Joins sorted names by blanks. */
static void join_names(struct listing *list, char *text, size_t room)
{
    int i;

    qsort(list->names, list->count, sizeof(*list->names), compare_names);
    *text = 0;
    for (i = 0; i < list->count; i++)
        if (strlen(text) + strlen(list->names[i]) + 2 < room)
            sprintf(text + strlen(text), "%s%s", i ? " " : "", list->names[i]);
}

static void add_name(struct listing *list, const char *name)
{
    if (list->count < (int)ARRAY_SIZE(list->names) && (list->names[list->count] = _strdup(name)))
        list->count++;
}

static void free_names(struct listing *list)
{
    while (list->count) free(list->names[--list->count]);
}

static void find_holders(const struct listing *list, struct newcomer *newcomer)
{
    struct listing holders = {.count = 0};
    char line[400];
    int i;

    for (i = 0; i < list->count; i++)
    {
        rewrite(line, sizeof(line), list->names[i], replace_one, newcomer->guid);
        if (strchr(line, '*')) add_name(&holders, line);
    }
    join_names(&holders, newcomer->holders, sizeof(newcomer->holders));
    free_names(&holders);
}

static int find_newcomers(const struct listing *list, struct newcomer *newcomers, int room)
{
    const char *text;
    int count = 0, i, j;

    for (i = 0; i < list->count; i++)
        for (text = list->names[i]; *text; text++)
        {
            if (!is_guid(text) || find_known(text) < known_count) continue;
            for (j = 0; j < count && _strnicmp(newcomers[j].guid, text, GUID_LENGTH); j++)
            {
            }
            if (j < count || count == room) continue;
            memcpy(newcomers[count].guid, text, GUID_LENGTH);
            find_holders(list, &newcomers[count++]);
        }
    return count;
}

static void number_guids(const struct listing *list)
{
    struct newcomer *newcomers = calloc(ARRAY_SIZE(known), sizeof(*newcomers));
    int count, i;

    need(newcomers != NULL, "out of memory");
    count = find_newcomers(list, newcomers, ARRAY_SIZE(known) - known_count);
    qsort(newcomers, count, sizeof(*newcomers), compare_newcomers);
    for (i = 0; i < count; i++) strcpy(known[known_count++], newcomers[i].guid);
    free(newcomers);
}

const char *list_files(const WCHAR *dir)
{
    static char text[4000];
    struct listing found = {.count = 0}, shown = {.count = 0};
    WIN32_FIND_DATAW data;
    HANDLE find = FindFirstFileW(join(dir, L"*"), &data);
    char line[400];
    int i;

    if (find == INVALID_HANDLE_VALUE) return "(none)";
    do
    {
        if (!wcscmp(data.cFileName, L".") || !wcscmp(data.cFileName, L"..")) continue;
        snprintf(line, sizeof(line), "%s%s", narrow(data.cFileName),
                 data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? "\\" : "");
        add_name(&found, line);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    number_guids(&found);
    for (i = 0; i < found.count; i++)
    {
        rewrite(line, sizeof(line), found.names[i], replace_number, NULL);
        add_name(&shown, line);
    }
    join_names(&shown, text, sizeof(text));
    free_names(&found);
    free_names(&shown);
    return *text ? text : "(none)";
}
