/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testh.c - a test that fails in each way there is, so that test.sh can see our wine/test.h notice
 *
 * What its output must be stands in test.sh, for Wine and for Windows. Not a test of cimfs.dll.
 */
#include "wine/test.h"

static void test_strings(void)
{
    static const WCHAR text[] = {'a', '"', '\\', 0xe4, 0};
    static const GUID guid = {0x12345678, 0xabc, 0xd, {1, 2, 3, 4, 5, 6, 7, 0xff}};
    WCHAR longest[2000];
    int i;

    for (i = 0; i < 1999; i++) longest[i] = 0x6f22;
    longest[i] = 0;
    trace("%s %s %s\n", wine_dbgstr_w(text), wine_dbgstr_w(NULL), debugstr_a("b\n"));
    trace("%s %s\n", wine_dbgstr_guid(&guid), wine_dbgstr_longlong((ULONGLONG)5 << 40));
    ok(strlen(wine_dbgstr_w(longest)) < 400, "A long string was not cut.\n");
    ok(!strcmp(wine_dbgstr_w(longest) + strlen(wine_dbgstr_w(longest)) - 4, "\"..."), "Got %s.\n",
       wine_dbgstr_w(longest));
}

static void test_contexts(void)
{
    int i;

    winetest_push_context("outer %d", 1);
    winetest_push_context("inner");
    ok(0, "Two contexts.\n");
    winetest_pop_context();
    ok(0, "One context.\n");
    winetest_pop_context();
    for (i = 0; i < 20; i++) winetest_push_context("deep %d", i);
    for (i = 0; i < 20; i++) winetest_pop_context();
    ok(0, "No context.\n");
}

static void test_todo(void)
{
    todo_wine ok(0, "A todo.\n");
    todo_wine ok(1, "A todo that works.\n");
    todo_wine_if(0) ok(0, "A todo for another case.\n");
    todo_wine_if(1) ok(0, "A todo for this case.\n");
    todo_wine
    {
        ok(0, "First in a block.\n");
        todo_wine ok(0, "Second, in two.\n");
        ok(0, "Third.\n");
    }
    ok(1, "After the block.\n");
    if (1)
        ok(0, "In an if.\n");
    else
        ok(1, "In an else.\n");
}

static void test_versions(void)
{
    ok(0, "Since 9.5: what failed.\n");
    ok(1, "Since 9.5: what didn't.\n");
    ok(1, "Not since 9.5: a check.\n");
}

START_TEST(testh)
{
    char **argv;
    int i, argc = winetest_get_mainargs(&argv);

    if (argc == 3 && !strcmp(argv[2], "crash"))
    {
        ok(1, "Fine.\n");
        RaiseException(EXCEPTION_ACCESS_VIOLATION, 0, 0, NULL);
    }
    if (argc == 3 && !strcmp(argv[2], "many"))
    {
        for (i = 0; i < 300; i++) ok(0, "Failure %d.\n", i);
        return;
    }
    if (argc == 3 && !strcmp(argv[2], "fine"))
    {
        ok(1, "Not shown.\n");
        return;
    }
    if (argc == 3 && !strcmp(argv[2], "versions"))
    {
        test_versions();
        return;
    }
    ok(argc == 1 && argv[0], "Got %d arguments.\n", argc);
    ok(1, "Not shown.\n");
    ok(0, "Got %d, %#lx.\n", 7, (LONG)E_INVALIDARG);
    ok_("dir/other.c", 12)(0, "Elsewhere.\n");
    test_strings();
    test_contexts();
    test_todo();
    skip("A skip.\n");
    win_skip("A skip on Windows.\n");
    ok(broken(1), "Broken.\n");
    ok(!broken(0), "Never broken.\n");
}
