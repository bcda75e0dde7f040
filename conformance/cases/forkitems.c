/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forkitems.c - deleting inherited items, and their links and streams; open questions
 *
 * The second half of forks.c, which tells the idea.
 */
#include "inherited.h"

/* ---- deleting -------------------------------------------------------------------------------- */

static void deletes_at_root(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("file", cim.DeletePath(image, L"alone"), S_OK);
    check_hr("directory", cim.DeletePath(image, L"d"), S_OK);
    check_hr("the file again", cim.DeletePath(image, L"alone"), HR_PATH_NOT_FOUND);
    see_hr("below the directory", cim.DeletePath(image, L"d\\inner"));
    commit_and_close(image);
    there_in(session, "the file", L"alone", false);
    there_in(session, "the directory", L"d", false);
    there_in(session, "its child", L"d\\inner", false);
    there_in(session, "its grandchild", L"d\\e\\deep", false);
    REST_IS_THERE(session, L"alone", L"d\\e\\deep", L"d\\inner", L"d\\inner:s", L"d\\other",
                  L"d:s");
}

CASE_CALL(extend_deletes, "Extend/DeletesAtRoot", DOC, "CimDeletePath page", 0,
          "an inherited file or directory at the root is deleted, a directory with all below it",
          deletes_at_root(EXTEND))

CASE_CALL(fork_deletes, "Fork/DeletesAtRoot", DOC, "CimDeletePath page", 0,
          "in a fork an inherited file or directory at the root is deleted", deletes_at_root(FORK))

static void deletes_nested(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("file", cim.DeletePath(image, L"d\\inner"), S_OK);
    check_hr("directory", cim.DeletePath(image, L"d\\e"), S_OK);
    check_hr("the file again", cim.DeletePath(image, L"d\\inner"), HR_PATH_NOT_FOUND);
    check_hr("stream", cim.DeletePath(image, L"d\\other:s"), S_OK);
    commit_and_close(image);
    there_in(session, "the file", L"d\\inner", false);
    there_in(session, "the directory", L"d\\e", false);
    there_in(session, "the stream", L"d\\other:s", false);
    there_in(session, "its child", L"d\\e\\deep", false);
    there_in(session, "the parent", L"d", true);
    REST_IS_THERE(session, L"d\\e\\deep", L"d\\inner", L"d\\inner:s");
}

CASE_CALL(extend_deletes_nested, "Extend/DeletesNested", DECISION, "D4", 0,
          "an inherited nested path is deleted, its parent not having been made again",
          deletes_nested(EXTEND))

CASE_CALL(fork_deletes_nested, "Fork/DeletesNested", DECISION, "D4", 0,
          "in a fork an inherited nested path is deleted, its parent not having been made again",
          deletes_nested(FORK))

static void deletes_after_parent(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_dir(image, L"d");
    check_hr("hr", cim.DeletePath(image, L"d\\inner"), S_OK);
    commit_and_close(image);
    there_in(session, "the file", L"d\\inner", false);
    text_in(session, "beside it", L"d\\other", "other");
}

CASE_CALL(extend_deletes_after_parent, "Extend/DeletesNestedAfterParent", DECISION, "D4", 0,
          "an inherited nested path is deleted after its parent was made again",
          deletes_after_parent(EXTEND))

CASE_CALL(fork_deletes_after_parent, "Fork/DeletesNestedAfterParent", CLIENT,
          "hcsshim forked layer import", 0,
          "in a fork an inherited nested path is deleted after its parent was made again",
          deletes_after_parent(FORK))

static void deletes_all_children(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("the only child", cim.DeletePath(image, L"d\\e\\deep"), S_OK);
    commit_and_close(image);
    there_in(session, "child", L"d\\e\\deep", false);
    there_in(session, "directory", L"d\\e", true);
}

CASE_CALL(extend_deletes_all, "Extend/ParentStays", DECISION, "D4", 0,
          "an inherited directory stays when its last child is deleted",
          deletes_all_children(EXTEND))

CASE_CALL(fork_deletes_all, "Fork/ParentStays", DECISION, "D4", 0,
          "in a fork an inherited directory stays when its last child is deleted",
          deletes_all_children(FORK))

static void recreates(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    need_hr("CimDeletePath", cim.DeletePath(image, L"d"));
    need_hr("CimDeletePath", cim.DeletePath(image, L"file"));
    put_dir(image, L"d");
    put_text(image, L"d\\new", "new");
    put_text(image, L"file", "again");
    commit_and_close(image);
    text_in(session, "new child", L"d\\new", "new");
    text_in(session, "file again", L"file", "again");
    there_in(session, "old child", L"d\\inner", false);
    there_in(session, "old grandchild", L"d\\e\\deep", false);
    there_in(session, "directory's old stream", L"d:s", false);
    there_in(session, "file's old stream", L"file:s", false);
    text_in(session, "file's other name", L"link", "hello");
}

CASE_CALL(extend_recreates, "Extend/RecreatedIsNew", DOC, "CimDeletePath page", 0,
          "an inherited item that was deleted and created again has nothing of the old one",
          recreates(EXTEND))

CASE_CALL(fork_recreates, "Fork/RecreatedIsNew", DOC, "CimDeletePath page", 0,
          "in a fork an inherited item that was deleted and created again has "
          "nothing of the old one",
          recreates(FORK))

static void deletes_link(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("hr", cim.DeletePath(image, L"file"), S_OK);
    commit_and_close(image);
    there_in(session, "that name", L"file", false);
    text_in(session, "other name", L"link", "hello");
    text_in(session, "its stream", L"link:s", "stream");
    REST_IS_THERE(session, L"file", L"file:s", L"file:t");
}

CASE_CALL(extend_deletes_link, "Extend/DeletesLinkName", DOC, "CimDeletePath page", 0,
          "deleting one of the names of an inherited file leaves it under the other",
          deletes_link(EXTEND))

CASE_CALL(fork_deletes_link, "Fork/DeletesLinkName", DOC, "CimDeletePath page", 0,
          "in a fork, deleting one of the names of an inherited file leaves it under the other",
          deletes_link(FORK))

/* ---- links and streams ----------------------------------------------------------------------- */

static void links(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("at the root", cim.CreateHardLink(image, L"l1", L"alone"), S_OK);
    check_hr("to a nested one", cim.CreateHardLink(image, L"l2", L"d\\e\\deep"), S_OK);
    check_hr("into a directory", cim.CreateHardLink(image, L"d\\l3", L"link"), S_OK);
    check_hr("over an inherited file", cim.CreateHardLink(image, L"d\\other", L"alone"), S_OK);
    check_hr("to a directory", cim.CreateHardLink(image, L"l4", L"d"), E_ACCESSDENIED);
    check_hr("to nothing", cim.CreateHardLink(image, L"l5", L"d\\none"), HR_PATH_NOT_FOUND);
    commit_and_close(image);
    text_in(session, "l1", L"l1", "alone");
    text_in(session, "l2", L"l2", "deep");
    text_in(session, "d\\l3", L"d\\l3", "hello");
    text_in(session, "d\\other", L"d\\other", "alone");
    REST_IS_THERE(session, L"d\\other");
}

CASE_CALL(extend_links, "Extend/LinkToInherited", CLIENT, "CimFSAPI sample", 0,
          "an inherited file can be linked to, at any depth, and replaced by a link", links(EXTEND))

CASE_CALL(fork_links, "Fork/LinkToInherited", CLIENT, "hcsshim 2020 layer import", 0,
          "in a fork an inherited file can be linked to, at any depth, and replaced by a link",
          links(FORK))

static void link_then_replace(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_link(image, L"saved", L"d\\inner");
    put_text(image, L"d\\inner", "changed");
    commit_and_close(image);
    text_in(session, "the link", L"saved", "inner");
    text_in(session, "the link's stream", L"saved:s", "in d");
    text_in(session, "the path", L"d\\inner", "changed");
}

CASE_CALL(extend_link_replace, "Extend/LinkThenReplace", DECISION, "D7", 0,
          "a link made to an inherited file keeps it when the path is then created anew",
          link_then_replace(EXTEND))

CASE_CALL(fork_link_replace, "Fork/LinkThenReplace", DECISION, "D7", 0,
          "in a fork a link made to an inherited file keeps it when the path is then created anew",
          link_then_replace(FORK))

static void streams(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_stream(image, L"alone:new", "one", 3);
    put_stream(image, L"d\\e:new", "two", 3);
    put_stream(image, L"file:s", "replaced", 8);
    put_stream(image, L"d\\inner:more", "three", 5);
    commit_and_close(image);
    text_in(session, "new one of a file", L"alone:new", "one");
    text_in(session, "new one of a directory", L"d\\e:new", "two");
    text_in(session, "replaced", L"file:s", "replaced");
    text_in(session, "one more", L"d\\inner:more", "three");
    REST_IS_THERE(session, L"file:s");
}

CASE_CALL(extend_streams, "Extend/StreamsOfInherited", DOC, "CimCreateAlternateStream page", 0,
          "an inherited file or directory gets a stream, or another in place of an inherited one",
          streams(EXTEND))

CASE_CALL(fork_streams, "Fork/StreamsOfInherited", DOC, "CimCreateAlternateStream page", 0,
          "in a fork an inherited file or directory gets a stream, or another in place of one",
          streams(FORK))

static void deletes_streams(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    check_hr("of a file", cim.DeletePath(image, L"file:s"), S_OK);
    check_hr("of a directory", cim.DeletePath(image, L"d:s"), S_OK);
    commit_and_close(image);
    there_in(session, "the file's", L"file:s", false);
    there_in(session, "the directory's", L"d:s", false);
    REST_IS_THERE(session, L"file:s", L"d:s");
}

CASE_CALL(extend_deletes_streams, "Extend/DeletesStream", DOC, "CimDeletePath page", 0,
          "an inherited stream is deleted, its item stays", deletes_streams(EXTEND))

CASE_CALL(fork_deletes_streams, "Fork/DeletesStream", DOC, "CimDeletePath page", 0,
          "in a fork an inherited stream is deleted, its item stays", deletes_streams(FORK))

static void other_case(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    put_text(image, L"ALONE", "replaced");
    put_text(image, L"D\\E\\new", "new");
    check_hr("delete", cim.DeletePath(image, L"D\\INNER"), S_OK);
    check_hr("link", cim.CreateHardLink(image, L"l", L"D\\OTHER"), S_OK);
    commit_and_close(image);
    text_in(session, "replaced", L"alone", "replaced");
    text_in(session, "added", L"d\\e\\new", "new");
    there_in(session, "deleted", L"d\\inner", false);
    text_in(session, "linked", L"l", "other");
    text_in(session, "beside the added", L"d\\e\\deep", "deep");
}

CASE_CALL(extend_case, "Extend/CaseOfNames", DECISION, "D24", 0,
          "inherited items are found without regard to case", other_case(EXTEND))

CASE_CALL(fork_case, "Fork/CaseOfNames", DECISION, "D24", 0,
          "in a fork inherited items are found without regard to case", other_case(FORK))

static void root_kept(enum session session)
{
    CIMFS_IMAGE_HANDLE image = fresh();

    need_hr("describe the root",
            try_create_file(image, L"", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0)));
    put_text(image, L"f", "one");
    image = reopen(image, session);
    put_text(image, L"g", "two");
    commit_and_close(image);
    check_hex("inherited", attributes_of(made_by(session), L""),
              FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN);
    image = open_image(case_dir(), made_by(session), NULL);
    need_hr("describe the root again",
            try_create_file(image, L"", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_SYSTEM, 0)));
    commit_and_close(image);
    check_hex("described again", attributes_of(made_by(session), L""),
              FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_SYSTEM);
    text_in(session, "f", L"f", "one");
    text_in(session, "g", L"g", "two");
}

CASE_CALL(extend_root, "Extend/RootMetadata", DECISION, "D22", 0,
          "the root's metadata is inherited, and replaced when it is described again",
          root_kept(EXTEND))

CASE_CALL(fork_root, "Fork/RootMetadata", DECISION, "D22", 0,
          "in a fork the root's metadata is inherited, and replaced when it is described again",
          root_kept(FORK))

/* ---- questions ------------------------------------------------------------------------------- */

static void see_kinds(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    see_hr("directory over directory",
           try_create_file(image, L"d", meta(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_HIDDEN, 0)));
    see_hr("file over full directory", try_create_file(image, L"d\\e", meta(0, 0)));
    see_hr("directory over file",
           try_create_file(image, L"alone", meta(FILE_ATTRIBUTE_DIRECTORY, 0)));
    see_hr("file over one of two links", try_create_file(image, L"link", meta(0, 0)));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_text("directory's attributes", "0x%lx",
             (unsigned long)attributes_of(made_by(session), L"d"));
    see_stored("directory's child", case_dir(), made_by(session), L"d\\other");
    see_stored("directory's stream", case_dir(), made_by(session), L"d:s");
    see_text("d\\e's attributes", "0x%lx", (unsigned long)attributes_of(made_by(session), L"d\\e"));
    see_stored("d\\e's child", case_dir(), made_by(session), L"d\\e\\deep");
    see_text("alone's attributes", "0x%lx",
             (unsigned long)attributes_of(made_by(session), L"alone"));
    see_stored("link's other name", case_dir(), made_by(session), L"file");
    see_stored("link", case_dir(), made_by(session), L"link");
    see_stored("link's stream", case_dir(), made_by(session), L"link:s");
}

CASE(same_kinds, "CreateFile/OverOtherItems", QUESTION, "Q-2", 0,
     "what becomes of an item of the same session where another is created (Q-3, Q-6 too)")
{
    see_kinds(SAME);
}

CASE(extend_kinds, "Extend/OverOtherItems", QUESTION, "Q-2", 0,
     "what becomes of an inherited item where another is created, extending (Q-3, Q-6 too)")
{
    see_kinds(EXTEND);
}

CASE(fork_kinds, "Fork/OverOtherItems", QUESTION, "Q-2", 0,
     "what becomes of an inherited item where another is created, forking (Q-3, Q-6 too)")
{
    see_kinds(FORK);
}

static void see_deletes(enum session session)
{
    CIMFS_IMAGE_HANDLE image = inherited(session);

    see_hr("nested file", cim.DeletePath(image, L"d\\inner"));
    see_hr("nested directory", cim.DeletePath(image, L"d\\e"));
    see_hr("nested stream", cim.DeletePath(image, L"d\\other:none"));
    see_hr("the nested file again", cim.DeletePath(image, L"d\\inner"));
    see_hr("missing leaf", cim.DeletePath(image, L"d\\none"));
    see_hr("missing leaf at the root", cim.DeletePath(image, L"none"));
    see_hr("missing parent", cim.DeletePath(image, L"no\\f"));
    see_hr("at the root", cim.DeletePath(image, L"alone"));
    see_hr("commit", cim.CommitImage(image));
    close_image(image);
    see_stored("nested file afterwards", case_dir(), made_by(session), L"d\\inner");
    see_stored("in the nested directory", case_dir(), made_by(session), L"d\\e\\deep");
    see_stored("at the root afterwards", case_dir(), made_by(session), L"alone");
}

CASE(extend_see_deletes, "Extend/Deletes", QUESTION, "Q-4", 0,
     "what deleting inherited and missing paths answers and does, extending (Q-7 too)")
{
    see_deletes(EXTEND);
}

CASE(fork_see_deletes, "Fork/Deletes", QUESTION, "Q-4", 0,
     "what deleting inherited and missing paths answers and does, forking (Q-7 too)")
{
    see_deletes(FORK);
}
