/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - run a fuzz target over inputs that there are already, without libFuzzer
 *
 *	TARGET FILE|DIRECTORY...
 *
 * The name of an input that takes more than a few seconds of CPU, or much memory, is printed by the
 * signal that this ends with, as that of any other crash is: 0 inputs are none.
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define SECONDS 20 /* of CPU for one input, with sanitizers as well */
#define MEMORY	(UINT64_C(1) << 30)
#define INPUT	(1u << 20)

static char running[4096];
static unsigned long inputs;

static void died(int number)
{
	static const char said[] = "fuzz: the input was ";
	ssize_t told = write(2, said, sizeof(said) - 1);

	told += write(2, running, strlen(running));
	told += write(2, "\n", 1);
	(void)told;
	signal(number, SIG_DFL);
	raise(number);
}

static void run_file(const char *path)
{
	const struct itimerval limit = {.it_value.tv_sec = SECONDS};
	uint8_t *bytes = malloc(INPUT), *exact;
	FILE *f = fopen(path, "rb");
	size_t size;

	snprintf(running, sizeof(running), "%s", path);
	if (!f || !bytes) {
		perror(path);
		exit(2);
	}
	size = fread(bytes, 1, INPUT, f);
	fclose(f);
	exact = realloc(bytes, size + !size); /* so that a sanitizer sees its end */
	setitimer(ITIMER_PROF, &limit, NULL);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	inputs++;
}

static void run(const char *path)
{
	struct dirent **names;
	struct stat st;
	int count;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char below[4096];

		snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			run(below);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

int main(int argc, char **argv)
{
#ifdef FUZZ_LIMITS /* a sanitizer takes all the addresses it can get */
	const struct rlimit limit = {MEMORY, MEMORY};

	setrlimit(RLIMIT_AS, &limit);
#endif
	signal(SIGPROF, died);
	signal(SIGABRT, died);
	signal(SIGSEGV, died);
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%lu inputs\n", inputs);
	return inputs ? 0 : 2;
}
