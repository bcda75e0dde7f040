/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rt_libcim - tell a story to libcim, then read the images back and hold them against the model */
#include "rt.h"

#include <stdio.h>

/* What the story left is the container's last state. */
static bool seal(const char *path)
{
	uint8_t root[CIM_ROOT_HASH];
	struct cim_error err = {0};

	if (!cim_container_seal(NULL, path, root, NULL, &err))
		return true;
	printf("# sealing: %s\n", err.cause);
	return false;
}

int main(int argc, char **argv)
{
	unsigned flags = CIM_WRITE_CONSISTENT;
	char place[4096];
	struct rt_backend backend;
	struct rt_options options;
	struct rt_result result;
	struct rt_native *native;
	uint64_t differences, strays, items;
	int at = rt_parse_options(argc, argv, &options);
	bool told;

	if (!at)
		return 2;
	snprintf(place, sizeof(place), "%s%s", argv[at], options.container ? "/c.bcim" : "");
	if (options.container)
		flags |= CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE;
	native = rt_native_new(NULL, place, flags);
	backend = rt_native_backend(native);
	told = rt_tell(&options, &backend, &result);
	differences = rt_native_verify(native, &result, options.seed, &items);
	strays = rt_native_strays(native);
	if (options.container && !seal(place))
		result.wrong++;
	printf("# seed %llu: %llu calls, %llu wrong; %u images, %llu items, %llu differences; "
	       "%llu stray files\n",
	       (unsigned long long)options.seed, (unsigned long long)result.calls,
	       (unsigned long long)result.wrong, (unsigned)result.image_count,
	       (unsigned long long)items, (unsigned long long)differences,
	       (unsigned long long)strays);
	rt_world_free(&result.world);
	rt_native_free(native);
	return !told ? 2 : result.wrong || differences || strays || !items ? 1 : 0;
}
