/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.h - how the demo's Windows programs speak to their user, and what they are asked to do
 *
 * Define PROGRAM, the program's name as it stands before a message, and include this once.
 */
#ifndef CIM_DEMO_CONSOLE_H
#define CIM_DEMO_CONSOLE_H

#define WIN32_LEAN_AND_MEAN
#ifndef UNICODE
#define UNICODE
#endif
#include <windows.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static void write_text(HANDLE to, const WCHAR *text)
{
	DWORD mode, done;
	char bytes[3 * 4096];
	int size;

	if (GetConsoleMode(to, &mode)) {
		WriteConsoleW(to, text, (DWORD)wcslen(text), &done, NULL);
		return;
	}
	size = WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof(bytes), NULL, NULL);
	if (size > 1)
		WriteFile(to, bytes, (DWORD)size - 1, &done, NULL);
}

static void say(DWORD where, const WCHAR *format, ...)
{
	WCHAR text[4096];
	va_list args;

	va_start(args, format);
	_vsnwprintf(text, ARRAYSIZE(text) - 1, format, args);
	va_end(args);
	text[ARRAYSIZE(text) - 1] = 0;
	write_text(GetStdHandle(where), text);
}

/* One line for a failed call, with the system's words if it has some; always FALSE. */
static BOOL fail(const WCHAR *function, const WCHAR *what, HRESULT hr)
{
	WCHAR text[256];
	DWORD length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
				      NULL, (DWORD)hr, 0, text, ARRAYSIZE(text), NULL);

	while (length && (text[length - 1] <= ' ' || text[length - 1] == '.'))
		length--;
	text[length] = 0;
	say(STD_ERROR_HANDLE, PROGRAM L": %ls(%.1000ls): 0x%08lX %ls\r\n", function, what,
	    (unsigned long)hr, text);
	return FALSE;
}

static void *must(void *pointer)
{
	if (pointer)
		return pointer;
	say(STD_ERROR_HANDLE, PROGRAM L": out of memory\r\n");
	exit(1);
}

/* An option with a value, or a flag. */
struct known_option {
	const WCHAR *name;
	const WCHAR **value;
	BOOL *flag;
};

/* -1: go on, else the exit status. */
static int parse(int argc, WCHAR **argv, const struct known_option *known, const WCHAR *usage)
{
	const struct known_option *option;
	int i;

	for (i = 1; i < argc; i++) {
		if (!wcscmp(argv[i], L"--help")) {
			say(STD_OUTPUT_HANDLE, L"%ls", usage);
			return 0;
		}
		for (option = known; option->name && wcscmp(argv[i], option->name); option++)
			continue;
		if (!option->name || (option->value && i + 1 == argc)) {
			say(STD_ERROR_HANDLE,
			    option->name ? PROGRAM L": %ls needs a value\r\n%ls"
					 : PROGRAM L": what is \"%ls\"?\r\n%ls",
			    argv[i], usage);
			return 2;
		}
		if (option->flag)
			*option->flag = TRUE;
		else
			*option->value = argv[++i];
	}
	return -1;
}

#endif
