/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.c - the threads of a queue (queue.c), as all else sees them
 *
 * One shows no progress, and doesn't end the program when it is out of memory: cleaning up is for
 * the thread that may be in the middle of using what is cleaned up.
 */
#include "tool.h"

#include <unistd.h>

static _Thread_local bool is_worker;
static atomic_bool no_memory;

void worker_begin(void)
{
	is_worker = true;
}

bool worker_here(void)
{
	return is_worker;
}

void worker_no_memory(void)
{
	if (!is_worker)
		return;
	atomic_store(&no_memory, true);
	for (;;)
		pause();
}

bool worker_lacks_memory(void)
{
	return atomic_load(&no_memory);
}
