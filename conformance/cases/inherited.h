/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inherited.h - an image with an item of every kind, to be changed by the session that made it or
 * by a later one, and the look at what was not to change
 */
#ifndef CIM_CASES_INHERITED_H
#define CIM_CASES_INHERITED_H

#include "items.h"

/*
 * The image that most cases begin with:
 *   d\e\deep ("deep"), d\inner ("inner") with stream s ("in d"), d\other ("other") with s ("too"),
 *   d:s ("of d"),
 *   file ("hello") with streams s ("stream") and t ("second"), link: the same file, alone
 * ("alone").
 */
static inline CIMFS_IMAGE_HANDLE inherited(enum session session)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    put_dir(image, L"d");
    put_dir(image, L"d\\e");
    put_text(image, L"d\\e\\deep", "deep");
    put_text(image, L"d\\inner", "inner");
    put_stream(image, L"d\\inner:s", "in d", 4);
    put_text(image, L"d\\other", "other");
    put_stream(image, L"d\\other:s", "too", 3);
    put_stream(image, L"d:s", "of d", 4);
    put_text(image, L"file", "hello");
    put_stream(image, L"file:s", "stream", 6);
    put_stream(image, L"file:t", "second", 6);
    put_link(image, L"link", L"file");
    put_text(image, L"alone", "alone");
    return reopen(image, session);
}

/* What the image must hold still; NULL ends the exceptions. */
static inline void rest_is_there(enum session session, const WCHAR *const *but)
{
    static const struct
    {
        const char *name;
        const WCHAR *path;
        const char *text;
    } items[] = {
            {"kept d\\e\\deep", L"d\\e\\deep", "deep"},
            {"kept d\\inner", L"d\\inner", "inner"},
            {"kept d\\inner:s", L"d\\inner:s", "in d"},
            {"kept d\\other", L"d\\other", "other"},
            {"kept d:s", L"d:s", "of d"},
            {"kept file", L"file", "hello"},
            {"kept file:s", L"file:s", "stream"},
            {"kept file:t", L"file:t", "second"},
            {"kept link", L"link", "hello"},
            {"kept alone", L"alone", "alone"},
    };
    size_t i;
    int j;

    for (i = 0; i < ARRAY_SIZE(items); i++)
    {
        for (j = 0; but[j] && wcscmp(but[j], items[i].path); j++)
        {
        }
        if (!but[j]) text_in(session, items[i].name, items[i].path, items[i].text);
    }
}

#define REST_IS_THERE(session, ...)                                                                \
    rest_is_there(session, (const WCHAR *const[]){__VA_ARGS__, NULL})

#endif
