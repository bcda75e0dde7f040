/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.c - signals end the work, not the program: who works looks whether one has come
 */
#include "tool.h"

atomic_int tool_signal;

static const struct {
	int number;
	const char *name;
} signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

const char *tool_signal_name(void)
{
	size_t i = 0;

	while (signals[i].number != tool_signal)
		i++;
	return signals[i].name;
}

static void on_signal(int number)
{
	/* A second one, or one that comes after the work is done, finds nobody who looks. */
	if (tool_signal)
		raise(number);
	tool_signal = number;
}

void tool_catch_signals(void)
{
	/* Once: it ends the program the next time. */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	struct sigaction old;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		/* What was ignored (nohup) stays so. */
		if (!sigaction(signals[i].number, NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i].number, &action, NULL);
	}
}

void tool_outlive_readers(void)
{
	signal(SIGPIPE, SIG_IGN);
}

bool tool_stopped(void *ctx)
{
	(void)ctx;
	return tool_signal;
}
