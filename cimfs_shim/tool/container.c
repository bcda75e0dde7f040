/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * container.c - containers, as commands that make images meet them
 *
 * The library reaches what is in one by its path. What is left to say here: which kind is to be
 * made, and that a VHD footer behind one goes when it is written again.
 */
#include "write.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOOTER_SIZE 512

/* What must hold of where the container is, or is to be. */
static int check_place(struct tool *t, const char *image, const char *place, bool block)
{
	const char *const op = t->command->name;
	struct stat st;

	if (stat(place, &st))
		return block ? tool_fail_errno(t, op, image, NULL) : EXIT_OK;
	if (block && !S_ISBLK(st.st_mode))
		return tool_fail(t, op, image, NULL, "%s is no block device (%s)", place,
				 S_ISREG(st.st_mode) ? "--container is for a file"
						     : "--block is for one");
	if (!block && S_ISBLK(st.st_mode))
		return tool_fail(t, op, image, NULL, "%s is a block device, which --block is for",
				 place);
	return EXIT_OK;
}

static bool offers_container(const struct tool *t)
{
	const struct arg_option *option = t->command->options;

	while (option->name && strcmp(option->name, "container") != 0)
		option++;
	return option->name != NULL;
}

/* What must hold where none is to be made. */
static int check_there(struct tool *t, const char *image, const char *place)
{
	const char *const op = t->command->name;
	struct stat st;

	if (stat(place, &st) && errno == ENOENT)
		return tool_fail(
			t, op, image, NULL,
			"there is no directory and no container %s (--container makes one)", place);
	if (!stat(place, &st) && S_ISBLK(st.st_mode) && !is_container(place))
		return tool_fail(t, op, image, NULL,
				 "%s is a block device that holds no container (--block makes one)",
				 place);
	return EXIT_OK;
}

int place_flags(struct tool *t, const char *image, const char *place,
		const struct container_options *options, unsigned *flags)
{
	*flags = 0;
	if (options->container && options->block)
		return tool_usage(t, "--container is for a file, --block for a device: not both");
	if (options->force && !options->block)
		return tool_usage(t, "--force works with --block only");
	if (options->sealable && !options->container && !options->block)
		return tool_usage(t, "--sealable works with --container or --block only");
	if (!options->container && !options->block)
		return offers_container(t) ? check_there(t, image, place) : EXIT_OK;
	*flags = CIM_WRITE_CONTAINER | (options->force ? CIM_WRITE_FORCE : 0) |
		 (options->sealable ? CIM_WRITE_SEALABLE : 0);
	return check_place(t, image, place, options->block);
}

int container_flags(struct tool *t, const char *image, const struct container_options *options,
		    unsigned *flags)
{
	const char *name;
	char *place = split_image(image, &name);
	int code;

	if ((options->container || options->block) && is_container(image))
		code = tool_usage(t, "'%s' is the container: an image in it is named %s/NAME.cim",
				  image, image);
	else if ((options->container || options->block) && !strchr(image, '/'))
		code = tool_usage(t, "'%s' names no container: it is to be CONTAINER/NAME", image);
	else
		code = place_flags(t, image, place, options, flags);
	free(place);
	return code;
}

void offer_force(const struct container_options *options, const char *place, struct cim_error *err)
{
	const size_t len = strlen(err->cause);

	/* (One that is there but damaged is corrupt, too: that --force doesn't take.) */
	if (options->block && !options->force && err->status == CIM_E_CORRUPT &&
	    !is_container(place))
		snprintf(err->cause + len, sizeof(err->cause) - len,
			 "; --force makes one, and that is lost");
}

/* Does that stand @at in the file? @at 0: in its last 512 bytes; *at receives where. */
static bool find_footer(const char *place, off_t *at)
{
	int fd = open(place, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char bytes[sizeof(VHD_COOKIE) - 1];
	struct stat st;
	bool found;

	if (fd < 0)
		return false;
	found = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > FOOTER_SIZE;
	if (found && !*at)
		*at = st.st_size - FOOTER_SIZE;
	found = found && pread(fd, bytes, sizeof(bytes), *at) == sizeof(bytes) &&
		!memcmp(bytes, VHD_COOKIE, sizeof(bytes));
	close(fd);
	return found;
}

void footer_look(struct footer *footer, const char *place)
{
	*footer = (struct footer){.place = place};
	footer->found = find_footer(place, &footer->at);
}

/* What only looked like one is data, which stays. */
void footer_tell(struct tool *t, const char *op, const char *image, struct footer *footer)
{
	if (footer->found && !find_footer(footer->place, &footer->at))
		tool_tell_footer(t, op, image);
}
