/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * results.c - reading what cimfs-conformance --json wrote
 *
 * The file may come from another machine and another version of the suite: what isn't known is
 * passed over, what is missing is empty. Tokens come from jsmn; a token's children follow it, so
 * one function that passes over a value is all it takes to walk.
 */
#include "results.h"

#include <jsmn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "cimfs-conformance 1"

/* The file being read. */
struct document
{
    char *text;
    jsmntok_t *tokens;
    int count;
};

static void *need_memory(void *memory)
{
    if (memory) return memory;
    fprintf(stderr, "cimfs-compare: out of memory\n");
    exit(2);
}

static char *load_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 1 << 16, fill = 0, got;

    if (!file) return NULL;
    text = need_memory(malloc(room));
    while ((got = fread(text + fill, 1, room - fill, file)))
    {
        fill += got;
        if (fill == room) text = need_memory(realloc(text, room *= 2));
    }
    if (ferror(file))
    {
        free(text);
        text = NULL;
    }
    fclose(file);
    *size = fill;
    return text;
}

static int after(const struct document *doc, int token)
{
    int end = doc->tokens[token].end;

    for (token++; token < doc->count && doc->tokens[token].start < end; token++)
    {
    }
    return token;
}

/* The value of a member, or -1. */
static int member(const struct document *doc, int object, const char *name)
{
    int token = object + 1, i;

    if (object < 0 || doc->tokens[object].type != JSMN_OBJECT) return -1;
    for (i = 0; i < doc->tokens[object].size && token + 1 < doc->count; i++)
    {
        const jsmntok_t *key = &doc->tokens[token];

        if ((size_t)(key->end - key->start) == strlen(name) &&
            !strncmp(doc->text + key->start, name, strlen(name)))
            return token + 1;
        token = after(doc, token + 1);
    }
    return -1;
}

/* A string's text, its escapes undone in place; "" for what is no string. */
static const char *text_of(struct document *doc, int token)
{
    char *in, *out, *start;
    unsigned code;

    if (token < 0 || doc->tokens[token].type != JSMN_STRING) return "";
    start = in = out = doc->text + doc->tokens[token].start;
    doc->text[doc->tokens[token].end] = 0; /* its closing quote */
    for (; *in; in++)
    {
        if (*in != '\\' || !in[1])
            *out++ = *in;
        else if (*++in == 'u' && sscanf(in + 1, "%4x", &code) == 1 && strlen(in) >= 5)
        {
            *out++ = code < 128 ? (char)code : '?';
            in += 4;
        }
        else
            *out++ = *in == 'n' ? '\n' : *in == 't' ? '\t' : *in;
    }
    *out = 0;
    return start;
}

static bool is_true(const struct document *doc, int token)
{
    return token >= 0 && doc->tokens[token].type == JSMN_PRIMITIVE &&
           doc->text[doc->tokens[token].start] == 't';
}

static void read_values(struct document *doc, int array, struct result *result)
{
    int token = array + 1, i;

    if (array < 0 || doc->tokens[array].type != JSMN_ARRAY) return;
    result->value_count = doc->tokens[array].size;
    result->values = need_memory(calloc(result->value_count + 1, sizeof(*result->values)));
    for (i = 0; i < doc->tokens[array].size && token < doc->count; i++, token = after(doc, token))
    {
        struct value *value = &result->values[i];
        int want = member(doc, token, "want");
        int name = member(doc, token, "name");
        int got = member(doc, token, "got");

        value->right = want < 0 || is_true(doc, member(doc, token, "right"));
        value->name = text_of(doc, name);
        value->got = text_of(doc, got);
        value->want = want < 0 ? NULL : text_of(doc, want);
    }
}

static void read_case(struct document *doc, int token, struct result *result)
{
    /* All are found before the first text is cut out: text_of() changes the document. */
    static const char *const names[] = {"id",     "statement", "provenance", "source",
                                        "result", "reason",    "wine-limit"};
    const char **fields[] = {&result->id,     &result->statement, &result->provenance,
                             &result->source, &result->result,    &result->reason,
                             &result->limit};
    size_t i;

    result->required = is_true(doc, member(doc, token, "required"));
    read_values(doc, member(doc, token, "values"), result);
    for (i = 0; i < ARRAY_SIZE(names); i++) *fields[i] = text_of(doc, member(doc, token, names[i]));
}

static int compare_id(const void *a, const void *b)
{
    return strcmp(((const struct result *)a)->id, ((const struct result *)b)->id);
}

static void read_cases(struct document *doc, int array, struct run *run)
{
    int token = array + 1, i;

    run->result_count = doc->tokens[array].size;
    run->results = need_memory(calloc(run->result_count + 1, sizeof(*run->results)));
    for (i = 0; i < doc->tokens[array].size && token < doc->count; i++, token = after(doc, token))
        read_case(doc, token, &run->results[i]);
    qsort(run->results, run->result_count, sizeof(*run->results), compare_id);
}

static void read_exports(struct document *doc, int object, struct run *run)
{
    int token = object + 1, i;

    if (object < 0 || doc->tokens[object].type != JSMN_OBJECT) return;
    run->export_count = doc->tokens[object].size;
    run->exports = need_memory(calloc(run->export_count + 1, sizeof(*run->exports)));
    for (i = 0; i < doc->tokens[object].size && token + 1 < doc->count; i++)
    {
        run->exports[i].present = is_true(doc, token + 1);
        run->exports[i].name = text_of(doc, token);
        token = after(doc, token + 1);
    }
}

static const char *read_document(struct document *doc, struct run *run)
{
    int system = member(doc, 0, "system"), dll = member(doc, 0, "dll");
    int cases = member(doc, 0, "cases"), format = member(doc, 0, "format");

    if (strcmp(text_of(doc, format), FORMAT)) return "is no result of this suite's version";
    if (cases < 0 || doc->tokens[cases].type != JSMN_ARRAY) return "holds no cases";
    run->ours = is_true(doc, member(doc, dll, "ours"));
    read_exports(doc, member(doc, dll, "exports"), run);
    run->windows = text_of(doc, member(doc, system, "windows"));
    run->wine = text_of(doc, member(doc, system, "wine"));
    run->architecture = text_of(doc, member(doc, system, "architecture"));
    read_cases(doc, cases, run);
    return NULL;
}

const char *run_load(struct run *run, const char *path)
{
    struct document doc = {0};
    const char *error = "is no JSON";
    jsmn_parser parser;
    size_t size;

    memset(run, 0, sizeof(*run));
    run->path = path;
    doc.text = run->text = load_text(path, &size);
    if (!doc.text) return "can't be read";
    jsmn_init(&parser);
    doc.count = jsmn_parse(&parser, doc.text, size, NULL, 0);
    if (doc.count <= 0) return error;
    doc.tokens = need_memory(calloc(doc.count, sizeof(*doc.tokens)));
    jsmn_init(&parser);
    if (jsmn_parse(&parser, doc.text, size, doc.tokens, doc.count) == doc.count)
        error = read_document(&doc, run);
    free(doc.tokens);
    return error;
}

void run_free(struct run *run)
{
    size_t i;

    for (i = 0; i < run->result_count; i++) free(run->results[i].values);
    free(run->results);
    free(run->exports);
    free(run->text);
}

const struct result *run_find(const struct run *run, const char *id)
{
    struct result key = {.id = id};

    return bsearch(&key, run->results, run->result_count, sizeof(key), compare_id);
}

const struct value *result_find(const struct result *result, const char *name)
{
    size_t i;

    for (i = 0; i < result->value_count; i++)
        if (!strcmp(result->values[i].name, name)) return &result->values[i];
    return NULL;
}

const char *run_label(const struct run *run, char label[LABEL_SIZE])
{
    snprintf(label, LABEL_SIZE, "%s %s (%s), %s", *run->wine ? "Wine" : "Windows",
             *run->wine ? run->wine : run->windows, run->architecture,
             run->ours ? "this project's cimfs.dll" : "another cimfs.dll");
    return label;
}
