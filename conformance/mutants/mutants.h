/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mutants.h - the table of mutants: M(name, "cases that must fail", "what is spoilt", how...)
 *
 * Included where M is defined: by forward.c, which takes name and how, and by list.c, which takes
 * the words. How: the functions at which it happens (.on), under which conditions (.when, .path,
 * ...; mutant.h tells them) and what happens then: SKIPS(answer) without a call, DOES(function of
 * code.h) with its parameters. That one call of a case answers something else isn't told here:
 * generated.py makes such mutants, for all of them.
 */
/* A table, with lines as long as they need: */
/* clang-format off */

/* ---- exports ------------------------------------------------------------------------------------- */
M("hide-create-image", "Export/Documented", "CimCreateImage isn't exported",
  HIDES(L"CimCreateImage"))
M("hide-dismount-image", "Export/Documented Export/AllOfOurs", "CimDismountImage isn't exported",
  HIDES(L"CimDismountImage"))
M("hide-stat", "Export/FromWindows11", "CimReadFile is exported without CimGetFileStatBasicInformation",
  HIDES(L"CimGetFileStatBasicInformation"))
M("hide-seal-image", "Export/AllOfOurs", "CimSealImage isn't exported", HIDES(L"CimSealImage"))

/* ---- registers and functions that aren't implemented --------------------------------------------- */
M("upper-half-create-image", "Abi/RegistersOfASession", "bit 32 of the register set after CimCreateImage",
  .on = ON(CreateImage), DOES(upper_half))
M("upper-half-create-file", "Abi/RegistersOfASession", "bit 32 of the register set after CimCreateFile",
  .on = ON(CreateFile), DOES(upper_half))
M("upper-half-delete", "Abi/RegistersOfASession", "bit 32 of the register set after CimDeletePath",
  .on = ON(DeletePath), DOES(upper_half))
M("upper-half-read", "Abi/RegistersOfReading", "bit 32 of the register set after CimReadFile",
  .on = ON(ReadFile), DOES(upper_half))
M("upper-half-stat", "Abi/RegistersOfReading", "bit 32 set after CimGetFileStatBasicInformation",
  .on = ON(GetFileStatBasicInformation), DOES(upper_half))
M("upper-half-mount", "Abi/RegistersOfMounting", "bit 32 of the register set after CimMountImage",
  .on = ON(MountImage), DOES(upper_half))
M("upper-half-dismount", "Abi/RegistersOfMounting", "bit 32 of the register set after CimDismountImage",
  .on = ON(DismountImage), DOES(upper_half))
M("register-close-stream", "Abi/RegistersOfASession Abi/RegistersOfVoids", "the register is not 0 after CimCloseStream",
  .on = ON(CloseStream), DOES(register_is), .number = 1)
M("register-close-null-stream", "Abi/RegistersOfVoids", "the register is not 0 after CimCloseStream(NULL)",
  .on = ON(CloseStream), .when = NULL_HANDLE, DOES(register_is), .number = 1)
M("register-voids-negative", "Abi/ClientsReadNoError Abi/RegistersOfVoids", "the register is negative after the void functions",
  .on = ON(CloseStream) | ON(CloseImage), DOES(register_is), .number = 0xffffffff)
M("register-close-image", "Abi/RegistersOfVoids Abi/RegisterAfterDiscard", "the register is negative after CimCloseImage without a commit",
  .on = ON(CloseImage), .when = NOT_COMMITTED, DOES(register_is), .number = 0xffffffff)
M("register-close-image-again", "Abi/RegistersOfVoids", "the register is negative after a second CimCloseImage",
  .on = ON(CloseImage), .when = CLOSED, DOES(register_is), .number = 0xffffffff)
M("failure-sign-extended", "Abi/UpperHalfOfFailures", "failures fill the register's upper half",
  .on = ON(CreateImage) | ON(CommitImage), DOES(upper_half_failed))
M("failure-is-win32-code", "Abi/RegistersOfFailures", "CimMountImage answers Win32 codes, not HRESULTs",
  .on = ON(MountImage), DOES(not_an_hresult))
M("failure-is-win32-code-commit", "Abi/RegistersOfFailures Commit/BadHandle", "CimCommitImage answers Win32 codes, not HRESULTs",
  .on = ON(CommitImage), DOES(not_an_hresult))

/* ---- committing ------------------------------------------------------------------------------------ */
M("commit-at-close", "Commit/VisibleBeforeClose Files/NoImageBeforeCommit", "the commit happens when the image is closed",
  .on = ON(CommitImage) | ON(CloseImage), .when = NOT_COMMITTED, DOES(commit_at_close))
M("commit-closes-stream", "Commit/StreamOpen Commit/AfterStreamOpen", "a commit closes an open stream and succeeds",
  .on = ON(CommitImage), .when = WITH_FILE, DOES(commit_closes_stream))
M("commit-refused-closes-stream", "Commit/AfterStreamOpen", "a commit refused for an open stream closes that",
  .on = ON(CommitImage), .when = WITH_FILE, DOES(commit_closes_stream), .number = 1)
M("commit-directory-stream-open", "Commit/DirectoryStreamOpen", "a directory's open stream is no reason against a commit",
  .on = ON(CommitImage), .when = WITH_DIRECTORY, DOES(commit_closes_stream))
M("commit-closes-image", "Commit/HandleStillToClose", "the commit closes the image",
  .on = ON(CommitImage), DOES(commit_closes))
M("commit-held-ends", "Commit/ImageHeldOpen Mount/CommitAfterDismount", "after a commit refused because the image was held open none succeeds",
  .on = ON(CommitImage), .when = WITHOUT_STREAM, DOES(failure_breaks))

/* ---- closing ----------------------------------------------------------------------------------------- */
M("close-commits", "Close/DiscardsFresh Close/FreesTheName Close/DiscardsExtension Extend/Discarded Close/DiscardsFork Fork/Discarded", "closing an image commits it",
  .on = ON(CloseImage), DOES(close_commits))
M("extension-at-once", "Sharing/KilledExtension Extend/Discarded", "each file of an extension is in the image at once",
  .on = ON(CloseStream), .when = IN_EXTENSION, DOES(commits_early))
M("name-stays-taken", "Close/FreesTheName", "a discarded image's name stays taken",
  .on = ON(CreateImage), DOES(name_stays_taken))
M("close-image-closes-stream", "Close/OpenStreamKeepsDirectory", "closing the image closes its stream",
  .on = ON(CloseImage), .when = WITH_FILE, DOES(commit_closes_stream))
M("close-twice-crashes", "Close/NullAndTwice Abi/RegistersOfVoids", "closing an image twice crashes",
  .on = ON(CloseImage), .when = CLOSED, DOES(crashes))
M("close-null-crashes", "Close/NullAndTwice Abi/RegistersOfVoids", "closing NULL crashes",
  .on = ON(CloseImage), .when = NULL_HANDLE, DOES(crashes))
M("close-stream-twice-crashes", "Abi/RegistersOfVoids", "closing a stream twice crashes",
  .on = ON(CloseStream), .when = CLOSED, DOES(crashes))
M("close-twice-closes-other", "Close/NullAndTwice", "closing an image twice closes another session",
  .on = ON(CloseImage), .when = CLOSED, DOES(close_closes_other))
M("close-keeps-file-open", "Close/ReleasesFilesAtOnce", "the image's file stays open after the close",
  .on = ON(CloseImage), DOES(close_keeps_file))

/* ---- handles ------------------------------------------------------------------------------------------ */
M("stream-does-for-image", "Handle/StreamIsNoImage", "a stream's handle does for its image's",
  .on = ON(CreateHardLink) | ON(DeletePath) | ON(LookupFile), .when = OTHER_KIND, DOES(other_kind_does))
M("stream-makes-items", "Handle/StreamIsNoImage", "a stream's handle does for its image's where items are made",
  .on = ON(CreateFile) | ON(CreateAlternateStream), .when = OTHER_KIND, DOES(other_kind_does))
M("stream-commits", "Handle/StreamIsNoImage", "a stream's handle does for its image's in a commit",
  .on = ON(CommitImage), .when = OTHER_KIND, DOES(other_kind_does))
M("stream-closes-image", "Handle/StreamIsNoImage", "closing a stream's handle as an image's closes the image",
  .on = ON(CloseImage), .when = OTHER_KIND, DOES(other_kind_does))
M("image-is-written", "Handle/ImageIsNoStream", "an image's handle does for its stream's in a write",
  .on = ON(WriteStream), .when = OTHER_KIND, DOES(other_kind_does))
M("image-closes-stream", "Handle/ImageIsNoStream", "closing an image's handle as a stream's closes its stream",
  .on = ON(CloseStream), .when = OTHER_KIND, DOES(other_kind_does))
M("closed-image-is-newest", "Handle/ImageStaysClosed", "a closed image's handle is that of the next session",
  .on = ON(DeletePath) | ON(CreateFile) | ON(LookupFile), .when = CLOSED, DOES(closed_is_newest))
M("closed-image-closes-newest", "Handle/ImageStaysClosed", "closing a closed image's handle closes the next session",
  .on = ON(CloseImage), .when = CLOSED, DOES(closed_is_newest))
M("closed-stream-is-newest", "Handle/StreamStaysClosed", "a write to a closed stream goes to the next one",
  .on = ON(WriteStream), .when = CLOSED, DOES(closed_is_newest))
M("closed-stream-closes-newest", "Handle/StreamStaysClosed", "closing a closed stream closes the next one",
  .on = ON(CloseStream), .when = CLOSED, DOES(closed_is_newest))
M("closed-stream-is-written", "Handle/NotAStream Handle/StreamStaysClosed WriteStream/TwoErrors", "a write to a closed stream is said to have worked",
  .on = ON(WriteStream), .when = CLOSED, SKIPS(S_OK))

/* ---- CimCreateFile ------------------------------------------------------------------------------------- */
M("write-first-byte", "CreateFile/Content CreateFile/HcsshimTestImage Metadata/SparseWithData Volume/LoadLibrary Volume/CreateProcess", "the first byte of each write is changed",
  .on = ON(WriteStream), DOES(write_changed))
M("write-last-byte", "CreateFile/Content AlternateStream/Content Volume/OddSizes Volume/StreamsByName", "the last byte of each write is changed",
  .on = ON(WriteStream), DOES(write_changed), .number = 1)
M("write-middle-byte", "CreateFile/Content WriteStream/Lengths WriteStream/SamplePieces", "a byte in the middle of each write is changed",
  .on = ON(WriteStream), DOES(write_changed), .number = 2)
M("file-one-byte-larger", "CreateFile/EmptyFile Stat/Size ReadFile/EmptyFile Volume/OddSizes Volume/Sizes", "files are a byte larger than asked",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(metadata_changed), .text = L"s", .number = 1)
M("directory-is-file", "CreateFile/Kinds", "FILE_ATTRIBUTE_DIRECTORY makes a file",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY, DOES(metadata_changed), .text = L"-", .number = FILE_ATTRIBUTE_DIRECTORY)
M("file-is-directory", "CreateFile/Kinds", "an empty file without attributes is made a directory",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(metadata_changed), .text = L"+", .number = FILE_ATTRIBUTE_DIRECTORY)
M("directory-without-stream", "CreateFile/DirectoryHasStream Handle/OneStreamDirectory Commit/DirectoryStreamOpen", "a directory's stream isn't held open",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY, DOES(directory_stream_closed))
M("directory-without-handle", "Handle/NeverNull CreateFile/DirectoryHasStream", "a directory's stream handle is NULL",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY, DOES(directory_stream_closed), .number = 1)
M("overwrite-keeps-attributes", "CreateFile/OverwriteMetadata", "a file over a file keeps the old one's attributes",
  .on = ON(CreateFile), .when = MAKES_FILE | OVER_FILE, DOES(metadata_changed), .text = L"o")
M("overwrite-keeps-streams", "CreateFile/OverwriteDropsStreams Extend/ReplacedDropsStreams Fork/ReplacedDropsStreams", "a file over a file keeps the old one's streams",
  .on = ON(CreateFile) | ON(CloseStream), DOES(old_ones_stay), .text = L"streams")
M("directory-again-empty", "CreateFile/DirectoryKeepsChildren Path/CaseVariantsAreOne Extend/DirectoryKeepsChildren Extend/DeletesNestedAfterParent Fork/DirectoryKeepsChildren Fork/LayerImport Fork/DeletesNestedAfterParent Fork/ChildrenOfDirectoryMadeAgain", "a directory over a directory loses its children",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY | OVER_DIRECTORY, DOES(directory_emptied))
M("directory-again-without-streams", "CreateFile/DirectoryKeepsStreams Extend/DirectoryKeepsStreams Fork/DirectoryKeepsStreams", "a directory over a directory loses its streams",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY | OVER_DIRECTORY, DOES(directory_streams_lost))
M("directory-over-file-keeps-streams", "CreateFile/DirectoryOverFile", "a directory over a file has that one's streams",
  .on = ON(CreateFile) | ON(CloseStream), .when = IN_FRESH, .path = NULL, DOES(old_ones_stay), .text = L"streams")
M("write-through-links", "CreateFile/OverOneOfLinks HardLink/NewFileOverOneName Extend/OverOneOfLinks Extend/LinkThenReplace Fork/OverOneOfLinks Fork/LinkThenReplace", "a file over one of several links replaces them all",
  .on = ON(CreateFile) | ON(CloseStream), DOES(other_names_follow))
M("deleted-streams-return", "CreateFile/AfterDelete DeletePath/RecreatedIsEmpty Extend/RecreatedIsNew Fork/RecreatedIsNew", "what was deleted with an item is back when that is made again",
  .on = ON(CreateFile) | ON(CloseStream), DOES(old_ones_stay), .text = L"deleted")
M("create-file-closes-other", "CreateFile/FileOpen", "CimCreateFile closes the file that is open",
  .on = ON(CreateFile), .when = WITH_FILE, DOES(commit_closes_stream))
M("create-file-while-alternate-open", "CreateFile/AlternateStreamOpen Handle/OneStreamAlternate", "CimCreateFile closes the alternate stream that is open",
  .on = ON(CreateFile), .when = WITH_ALTERNATE, DOES(commit_closes_stream))
M("create-file-while-directory-open", "CreateFile/DirectoryHasStream Handle/OneStreamDirectory", "CimCreateFile closes the directory's stream that is open",
  .on = ON(CreateFile), .when = WITH_DIRECTORY, DOES(commit_closes_stream))
M("one-stream-of-all-images", "CreateFile/StreamsOfTwoImages", "a stream of another image counts as open, too",
  .on = ON(CreateFile), DOES(one_stream_of_all))
M("create-file-output-kept", "CreateFile/OutputCleared Handle/OutputsAfterFailure", "CimCreateFile leaves its output alone when it fails",
  .on = ON(CreateFile), DOES(keeps_output))
M("data-read-late", "CreateFile/BuffersNotKept", "a write's buffer is read when the stream is closed",
  .on = ON(WriteStream) | ON(CloseStream), DOES(write_kept))
M("parents-are-made", "CreateFile/ParentMissing CreateFile/ParentDeleted", "CimCreateFile makes missing parents",
  .on = ON(CreateFile), DOES(makes_parents))
M("create-file-failure-ends", "CreateFile/FailureHarmless", "after a CimCreateFile that failed nothing succeeds",
  .on = ON(CreateFile) | ON(CommitImage), DOES(failure_breaks))
M("link-failure-ends", "CreateFile/FailureHarmless", "after a CimCreateHardLink that failed nothing succeeds",
  .on = ON(CreateHardLink) | ON(CreateFile), DOES(failure_breaks))
M("create-file-makes-stream", "CreateFile/Colon", "CimCreateFile of f:s makes a stream",
  .on = ON(CreateFile), DOES(file_as_stream))

/* ---- CimCreateAlternateStream ---------------------------------------------------------------------- */
M("stream-is-file", "AlternateStream/Content AlternateStream/NoStreamName AlternateStream/NotOfTheForm", "an alternate stream is written to the file itself",
  .on = ON(CreateAlternateStream), DOES(stream_as_file))
M("stream-only-one", "AlternateStream/Several Tree/ManyStreams", "an item has one alternate stream, the last one made",
  .on = ON(CreateAlternateStream), DOES(only_one_stream))
M("stream-past-end-all-or-nothing", "AlternateStream/SizeFixed", "a write past an alternate stream's end writes nothing",
  .on = ON(WriteStream), .when = WITH_ALTERNATE, DOES(write_all_or_nothing))
M("stream-rest-filled", "AlternateStream/UnwrittenIsZero", "what isn't written of an alternate stream is 0xff",
  .on = ON(CloseStream), .when = WITH_ALTERNATE, DOES(rest_filled), .number = 0xff)
M("stream-byte-at-64k", "AlternateStream/Large", "a byte of an alternate stream at 64 KiB is changed",
  .on = ON(WriteStream), .when = WITH_ALTERNATE, DOES(write_changed_at), .offset = 65536)
M("stream-makes-item", "AlternateStream/ItemMissing AlternateStream/ParentMissing", "CimCreateAlternateStream makes the item that is missing",
  .on = ON(CreateAlternateStream), DOES(makes_parents))
M("stream-while-file-open", "AlternateStream/FileOpen Handle/OneStreamFile", "CimCreateAlternateStream closes the file that is open",
  .on = ON(CreateAlternateStream), .when = WITH_FILE, DOES(commit_closes_stream))
M("stream-while-stream-open", "AlternateStream/StreamOpen Handle/OneStreamAlternate", "CimCreateAlternateStream closes the alternate stream that is open",
  .on = ON(CreateAlternateStream), .when = WITH_ALTERNATE, DOES(commit_closes_stream))
M("stream-output-kept", "AlternateStream/OutputCleared Handle/OutputsAfterFailure", "CimCreateAlternateStream leaves its output alone when it fails",
  .on = ON(CreateAlternateStream), DOES(keeps_output))
M("stream-handle-null", "Handle/NeverNull", "an alternate stream's handle is NULL",
  .on = ON(CreateAlternateStream), DOES(directory_stream_closed), .number = 1)
M("stream-suffix-in-name", "AlternateStream/DataSuffixIsTheSame", "f:s:$DATA is another stream than f:s",
  .on = ON(CreateAlternateStream), DOES(path_changed), .text = L"D")
M("stream-any-type", "AlternateStream/OtherTypes", "f:s:$ANY is f:s",
  .on = ON(CreateAlternateStream), DOES(path_changed), .text = L"$")
M("stream-case-sensitive", "AlternateStream/CaseOfNames", "CimCreateAlternateStream minds the case of names",
  .on = ON(CreateAlternateStream), DOES(case_sensitive))
M("stream-long-name-cut", "AlternateStream/LongName", "a stream's name of 256 units is cut",
  .on = ON(CreateAlternateStream), DOES(path_changed), .text = L"l", .number = 255)

/* ---- CimCreateHardLink --------------------------------------------------------------------------------- */
M("link-swapped", "HardLink/ArgumentOrder HardLink/Content", "the existing path comes first",
  .on = ON(CreateHardLink), DOES(link_swapped))
M("link-copies", "HardLink/SameFileIdUnmounted HardLink/SameFileId Stat/FileIds", "a link is a copy",
  .on = ON(CreateHardLink), DOES(link_copies))
M("link-copies-plainly", "HardLink/SameMetadata", "a link is a copy without ARCHIVE and times",
  .on = ON(CreateHardLink), DOES(link_copies), .number = FILE_ATTRIBUTE_ARCHIVE)
M("link-copies-in-fork", "Fork/DeletesLinkName Tree/RandomCalls2", "a link is a copy without streams",
  .on = ON(CreateHardLink), DOES(link_copies))
M("link-keeps-streams", "HardLink/ReplacesStreams", "a link over a file has that one's streams",
  .on = ON(CreateHardLink), DOES(old_ones_stay), .text = L"streams")
M("link-over-deletes-all-names", "HardLink/ReplacesStreams", "a link over one of a file's names takes all of them",
  .on = ON(CreateHardLink), .when = OVER_FILE | IN_FRESH, .path = L"b", DOES(link_deletes_names))
M("link-onto-directory", "HardLink/OntoDirectory", "a link takes the place of a directory",
  .on = ON(CreateHardLink), .when = OVER_DIRECTORY, DOES(link_deletes_first))
M("link-target-is-made", "HardLink/ExistingMissing HardLink/ExistingParentMissing", "a link to what is missing is an empty file",
  .on = ON(CreateHardLink), DOES(link_makes_file))
M("link-makes-parents", "HardLink/NewParentMissing", "CimCreateHardLink makes missing parents",
  .on = ON(CreateHardLink), .when = NESTED, DOES(makes_parents))
M("link-makes-directory", "HardLink/ToDirectory", "a link to a directory is a new directory",
  .on = ON(CreateHardLink), DOES(link_makes_directory))
M("link-refusal-locks", "HardLink/ToDirectoryHarmless", "after a refused link the directory stays in use",
  .on = ON(CreateHardLink) | ON(CloseImage), DOES(refusal_locks))
M("link-to-stream", "HardLink/ToStream HardLink/Colon", "a link to f:s is one to f",
  .on = ON(CreateHardLink), DOES(path_changed), .text = L":")
M("link-while-file-open", "HardLink/FileOpen Handle/OneStreamFile", "CimCreateHardLink closes the file that is open",
  .on = ON(CreateHardLink), .when = WITH_FILE, DOES(commit_closes_stream))
M("link-while-stream-open", "HardLink/AlternateStreamOpen Handle/OneStreamAlternate", "CimCreateHardLink closes the alternate stream that is open",
  .on = ON(CreateHardLink), .when = WITH_ALTERNATE, DOES(commit_closes_stream))
M("link-leaves-stream", "HardLink/LeavesNoStreamOpen Handle/LinkAndDeleteLeaveNoStream", "CimCreateHardLink leaves a stream open",
  .on = ON(CreateHardLink), DOES(leaves_stream_open))
M("link-failure-leaves-stream", "HardLink/LeavesNoStreamOpen", "CimCreateHardLink leaves a stream open when it fails",
  .on = ON(CreateHardLink), DOES(leaves_stream_open), .number = 1)
M("link-case-sensitive", "Path/CaseVariantsAreOne Extend/CaseOfNames Fork/CaseOfNames", "CimCreateHardLink minds the case of names",
  .on = ON(CreateHardLink), DOES(case_sensitive))

/* ---- CimDeletePath ---------------------------------------------------------------------------------------- */
M("delete-takes-longer-names", "DeletePath/Directory Tree/DeleteLarge", "deleting takes all that begins with the path",
  .on = ON(DeletePath), DOES(deletes_more), .text = L"p")
M("delete-stream-takes-file", "DeletePath/Stream DeletePath/DataSuffix", "deleting a stream takes its file",
  .on = ON(DeletePath), DOES(deletes_more), .text = L"f")
M("delete-stream-takes-others", "DeletePath/Stream", "deleting a stream takes the others of its item",
  .on = ON(DeletePath), .when = NAMES_STREAM, DOES(deletes_more), .text = L"s")
M("delete-takes-all-names", "DeletePath/HardLinkName DeletePath/LinkOutsideDirectory Extend/DeletesLinkName Fork/DeletesLinkName Tree/ManyLinks", "deleting takes all names of a file",
  .on = ON(DeletePath), DOES(deletes_more), .text = L"l")
M("delete-takes-empty-parent", "DeletePath/ParentStays Extend/ParentStays Fork/ParentStays", "deleting the last child takes the directory",
  .on = ON(DeletePath), DOES(deletes_more), .text = L"d")
M("delete-while-file-open", "DeletePath/FileOpen Handle/OneStreamFile", "CimDeletePath closes the file that is open",
  .on = ON(DeletePath), .when = WITH_FILE, DOES(commit_closes_stream))
M("delete-while-stream-open", "DeletePath/AlternateStreamOpen Handle/OneStreamAlternate", "CimDeletePath closes the alternate stream that is open",
  .on = ON(DeletePath), .when = WITH_ALTERNATE, DOES(commit_closes_stream))
M("delete-leaves-stream", "DeletePath/LeavesNoStreamOpen Handle/LinkAndDeleteLeaveNoStream", "CimDeletePath leaves a stream open",
  .on = ON(DeletePath), DOES(leaves_stream_open))
M("delete-failure-leaves-stream", "DeletePath/LeavesNoStreamOpen", "CimDeletePath leaves a stream open when it fails",
  .on = ON(DeletePath), DOES(leaves_stream_open), .number = 1)
M("delete-any-type", "DeletePath/DataSuffix", "deleting f:s:$ANY deletes f:s",
  .on = ON(DeletePath), DOES(path_changed), .text = L"$")
M("delete-case-sensitive", "DeletePath/CaseOfNames Extend/CaseOfNames Fork/CaseOfNames", "CimDeletePath minds the case of names",
  .on = ON(DeletePath), DOES(case_sensitive))

/* ---- CimCreateImage --------------------------------------------------------------------------------------- */
M("create-image-null-handle", "CreateImage/Fresh Handle/NeverNull", "a fresh image's handle is NULL",
  .on = ON(CreateImage), .when = IN_FRESH, DOES(handle_lost))
M("extend-is-fresh", "CreateImage/ExtendByNullNewName CreateImage/ExtendBySameName Extend/Inherits", "an extension begins with nothing",
  .on = ON(CreateImage) | ON(CloseImage), .when = IN_EXTENSION, DOES(fresh_instead))
M("extend-makes-second-image", "CreateImage/ExtendByNullNewName Extend/Inherits", "an extension is written under another name",
  .on = ON(CreateImage), .when = IN_EXTENSION, DOES(extend_beside))
M("fork-is-fresh", "CreateImage/Fork Fork/Inherits Fork/MetadataKept", "a fork begins with nothing",
  .on = ON(CreateImage), .when = IN_FORK, DOES(fresh_instead))
M("fork-touches-base", "CreateImage/Fork Fork/BaseUntouched Fork/BaseReadWhileForking", "a fork's changes go into its base, too",
  .on = ON(CreateImage) | ON(CommitImage), .when = IN_FORK, DOES(fork_extends_base))
M("fork-of-fork-refused", "CreateImage/ForkOfFork Fork/Chain Files/ForkChainParents", "a fork can't be forked",
  .on = ON(CreateImage), DOES(fork_of_fork), .text = L"r")
M("fork-extend-refused", "Fork/Extended", "a fork can't be extended",
  .on = ON(CreateImage), DOES(fork_of_fork), .text = L"e")
M("fork-of-newest", "Fork/TwoOfOne", "the second fork of an image has the first one's items",
  .on = ON(CreateImage), DOES(fork_of_fork), .text = L"n")
M("reopen-refused", "CreateImage/ReopenAtOnce Extend/Repeated", "extending right after a close is ERROR_SHARING_VIOLATION every other time",
  .on = ON(CreateImage), .when = IN_EXTENSION, .every = 2, SKIPS(HR_SHARING))
M("directory-is-made", "CreateImage/DirectoryMissing", "a missing directory is made",
  .on = ON(CreateImage), DOES(makes_directory))
M("existing-missing-fresh", "CreateImage/ExistingMissing", "extending a missing image makes it",
  .on = ON(CreateImage), DOES(fresh_if_missing))
M("new-exists-overwritten", "CreateImage/NewExists CreateImage/ForkExists", "a new name that is taken is overwritten",
  .on = ON(CreateImage), DOES(deletes_existing))
M("new-exists-no-image", "CreateImage/NewExistsAsOtherFile CreateImage/ForkExists", "a new name that is taken by no image is overwritten",
  .on = ON(CreateImage), DOES(deletes_existing), .text = L"i")
M("exists-at-commit", "CreateImage/ExistsIsSaidAtOnce CreateImage/NewExists", "ERROR_FILE_EXISTS is said by the commit",
  .on = ON(CreateImage) | ON(CommitImage), DOES(exists_at_commit))
M("second-session", "CreateImage/SecondHandle Sharing/OtherProcess Handle/ThreadsOneDirectory", "a directory takes several sessions",
  .on = ON(CreateImage), DOES(second_session))
M("second-session-extending", "CreateImage/SecondHandleExtending", "a session that extends lets others in",
  .on = ON(CreateImage), DOES(second_session), .text = L"e")
M("second-session-spelling", "CreateImage/SecondHandleOtherSpelling", "another spelling of the directory is another directory",
  .on = ON(CreateImage), DOES(second_session), .text = L".")
M("one-session-of-all", "CreateImage/TwoDirectories", "a process has one session",
  .on = ON(CreateImage), DOES(one_session))
M("create-image-output-kept", "CreateImage/OutputAfterFailure", "CimCreateImage leaves its output alone when it fails",
  .on = ON(CreateImage), DOES(keeps_output))
M("create-image-2-fresh", "CreateImage2/ExtendAndFork", "CimCreateImage2 makes a fork from nothing",
  .on = ON(CreateImage2), .when = IN_FORK, DOES(fresh_instead))
M("unknown-flags-ignored", "CreateImage2/UnknownFlags", "unknown flags are ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = ~0x7fu)
M("flag-40-ignored", "CreateImage2/FlagCombinations", "0x40 without a container is ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = 0x40)
M("consistent-ignored", "CreateImage2/ConsistentSameBytes CreateImage2/ConsistentRebuild CreateImage2/ConsistentGuidVersion", "CIM_CREATE_CONSISTENT_CIMS is ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = CIM_CREATE_CONSISTENT_CIMS)
M("consistent-always-same", "CreateImage2/ConsistentOtherInput", "with CIM_CREATE_CONSISTENT_CIMS all data are the same",
  .on = ON(WriteStream), DOES(write_consistent))
M("consistent-rebuild-extra", "CreateImage2/ConsistentRebuild", "a consistent image that is rebuilt leaves another file",
  .on = ON(CloseImage), .after = 1, DOES(file_extra), .text = L"region_again")

/* ---- extending and forking --------------------------------------------------------------------------------- */
M("parent-times-touched-in-extension", "Extend/MetadataKept", "adding to an inherited directory changes its times, extending",
  .on = ON(CloseStream), .when = IN_EXTENSION, DOES(parent_touched))
M("parent-times-touched-in-fork", "Fork/MetadataKept", "adding to an inherited directory changes its times, forking",
  .on = ON(CloseStream), .when = IN_FORK, DOES(parent_touched))
M("parent-times-touched", "Metadata/DirectoryTimesKept", "adding to a directory changes its times",
  .on = ON(CloseStream), .when = IN_FRESH, DOES(parent_touched))
M("root-described-empties", "Path/RootMetadata Extend/RootMetadata", "describing the root takes its metadata's READONLY for all",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY, .path = L"", DOES(metadata_changed), .text = L"+", .number = FILE_ATTRIBUTE_READONLY)

/* ---- the files of images ----------------------------------------------------------------------------------- */
M("header-type", "Files/Header", "the image's header has another type",
  .on = ON(CloseImage), DOES(file_patched), .offset = 12, .number = 5)
M("header-version", "Files/Header", "the image's header has major version 1",
  .on = ON(CloseImage), DOES(file_patched), .offset = 16, .number = 2)
M("header-magic", "Files/Header", "the image's header has another magic",
  .on = ON(CloseImage), DOES(file_patched), .offset = 0, .number = 0x20)
M("region-header-type", "Files/RegionHeaders", "region files have another type",
  .on = ON(CloseImage), DOES(file_patched), .offset = 12, .number = 4, .text = L"region_*")
M("objectid-header-type", "Files/RegionHeaders", "object ID files have another type",
  .on = ON(CloseImage), DOES(file_patched), .offset = 12, .number = 4, .text = L"objectid_*")
M("objectid-lost", "Files/Names", "there are no object ID files",
  .on = ON(CloseImage), DOES(files_lost), .text = L"objectid_*")
M("extra-file", "Files/NothingElse Files/Destroy Sharing/LockLeavesNothing", "a temporary file is left",
  .on = ON(CloseImage), DOES(file_extra), .text = L"mutant.tmp")
M("extra-region", "Files/NothingElse Files/Destroy", "a region file that no image names is left",
  .on = ON(CloseImage), DOES(file_extra), .text = L"region_12345678-1234-4234-8234-123456789abc_0")
M("fork-without-parents", "Files/ForkNamesItsParents", "a fork's header names no parents",
  .on = ON(CloseImage), .when = IN_FORK, DOES(file_patched), .offset = 70, .number = 1)
M("fork-parents-swapped", "Files/ForkChainParents", "a fork of a fork names its parents the wrong way round",
  .on = ON(CloseImage), DOES(parents_swapped))
M("region-set-shared", "Files/TwoImagesInOneDirectory", "two images of a directory name one region set",
  .on = ON(CloseImage), .when = IN_FRESH, DOES(guid_shared))
M("content-stored-twice", "Files/Deduplication WriteStream/SameContentOnce", "the same content takes its room each time",
  .on = ON(CloseImage), .when = IN_FRESH, DOES(region_padded), .number = 4 << 20)
M("content-stored-twice-in-fork", "Files/DeduplicationInFork WriteStream/SameContentOnce", "content that the base has takes room in a fork",
  .on = ON(CloseImage), .when = IN_FORK, DOES(region_padded), .number = 4 << 20)
M("unwritten-takes-room", "WriteStream/HugeNothingWritten", "what isn't written takes room",
  .on = ON(CloseImage), DOES(region_padded), .number = 16 << 20)
M("image-visible-at-once", "Files/NoImageBeforeCommit Sharing/KilledSession", "the image's file is there from the beginning",
  .on = ON(CreateImage) | ON(CommitImage), .when = IN_FRESH, DOES(placeholder))
M("reading-needs-objectid", "Files/ObjectIdNotNeededToRead", "an image without object ID files can't be read",
  .on = ON(ReadFile) | ON(GetFileStatBasicInformation), DOES(read_needs), .text = L"o")
M("reading-needs-parents-image", "Files/ForkWithoutParentsImage", "a fork can't be read without its parent's own file",
  .on = ON(ReadFile) | ON(GetFileStatBasicInformation), DOES(read_needs), .text = L"p")
M("reading-needs-directory", "Files/CopiedElsewhere", "an image can be read only where it was made",
  .on = ON(ReadFile) | ON(GetFileStatBasicInformation), DOES(read_needs), .text = L"d")
M("reading-needs-name", "Files/ImageRenamed", "an image can be read only by the name it was made with",
  .on = ON(ReadFile) | ON(GetFileStatBasicInformation), DOES(read_needs), .text = L"n")

/* ---- handles and threads ----------------------------------------------------------------------------------- */
M("one-thread", "Handle/ThreadsManyImages Handle/ThreadsOneDirectory", "only the first thread can open sessions",
  .on = ON(CreateImage), DOES(one_thread))

/* ---- sharing ------------------------------------------------------------------------------------------------- */
M("directory-not-held", "Sharing/DirectoryNotSharedForWriting", "a session doesn't hold its directory",
  .on = ON(CreateImage) | ON(CloseImage), .when = IN_FRESH, DOES(works_elsewhere))
M("others-work-lost", "Sharing/OtherProcessCommits", "what another process added is lost",
  .on = ON(CreateImage) | ON(CloseImage), .when = IN_EXTENSION, DOES(fresh_instead))
M("killed-session-locks", "Sharing/KilledSession", "a killed session's name stays taken",
  .on = ON(CreateImage), .when = IN_FRESH, .name = L"peer.cim", DOES(placeholder))
M("reading-while-busy", "Sharing/ReadingMeanwhile", "images of a directory with a session can't be read",
  .on = ON(ReadFile) | ON(GetFileStatBasicInformation), DOES(read_needs), .text = L"s")
M("reading-base-while-forking", "Fork/BaseReadWhileForking", "a fork's base can't be read meanwhile",
  .on = ON(ReadFile) | ON(GetFileStatBasicInformation), DOES(read_needs), .text = L"s")

/* ---- reading ---------------------------------------------------------------------------------------------------- */
M("read-changed", "ReadFile/Whole ReadFile/AlternateStream", "the first byte read is changed",
  .on = ON(ReadFile), DOES(read_changed))
M("read-last-changed", "ReadFile/LargeFile ReadFile/Remaining", "the last byte read is changed",
  .on = ON(ReadFile), DOES(read_changed), .number = 1)
M("read-changed-at-64k", "ReadFile/LargeFile", "from 64 KiB on the first byte of a piece is changed",
  .on = ON(ReadFile), DOES(read_changed), .offset = 65536)
M("read-byte-behind", "ReadFile/EachRoom", "a byte behind those that are read is changed",
  .on = ON(ReadFile), DOES(read_changed), .number = 2)
M("read-offset-ignored", "ReadFile/Remaining ReadFile/OddSizes", "the offset is ignored",
  .on = ON(ReadFile), DOES(read_at_beginning))
M("read-remaining-total", "ReadFile/Remaining ReadFile/Whole", "bytes remaining is the file's size",
  .on = ON(ReadFile), DOES(read_counts), .text = L"t")
M("read-remaining-none", "ReadFile/Remaining ReadFile/OddSizes", "bytes remaining is always 0",
  .on = ON(ReadFile), DOES(read_counts), .text = L"0")
M("read-larger-buffer", "ReadFile/LargerBuffer", "a buffer larger than the file is ERROR_HANDLE_EOF",
  .on = ON(ReadFile), DOES(read_counts), .text = L"b")
M("read-one-more", "ReadFile/Whole ReadFile/LargerBuffer", "bytes read is one more",
  .on = ON(ReadFile), DOES(read_counts), .text = L"1")
M("read-empty", "ReadFile/EmptyFile ReadFile/AtAndPastTheEnd", "nothing to read is ERROR_HANDLE_EOF",
  .on = ON(ReadFile), DOES(read_counts), .text = L"e")
M("read-past-end", "ReadFile/AtAndPastTheEnd", "past the end nothing is read, with S_OK",
  .on = ON(ReadFile), DOES(read_counts), .text = L"p")
M("read-no-room", "ReadFile/AtAndPastTheEnd", "without room nothing remains",
  .on = ON(ReadFile), DOES(read_counts), .text = L"z")
M("read-stream-ignored", "ReadFile/AlternateStream AlternateStream/Content", "CimReadFile of f:s reads f",
  .on = ON(ReadFile), DOES(read_without_stream))
M("read-case-sensitive", "ReadFile/OtherCase Path/CaseVariantsAreOne", "CimReadFile minds the case of names",
  .on = ON(ReadFile), DOES(read_case), .text = L"A")
M("read-outputs-left", "ReadFile/OutputsAfterFailure", "CimReadFile's counters are left alone when it fails",
  .on = ON(ReadFile), DOES(outputs_left))
M("stat-size", "Stat/Size Stat/AlternateStream", "EndOfFile has another bit set",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, EndOfFile), .number = 8)
M("stat-directory-size", "Stat/Directory Metadata/DirectorySizeIgnored", "a directory's EndOfFile is 4096",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"d")
M("stat-directory-attribute", "Stat/Directory Stat/Root Path/RootUndescribed", "FILE_ATTRIBUTE_DIRECTORY isn't reported",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"-", .number = FILE_ATTRIBUTE_DIRECTORY)
M("stat-stream-ignored", "Stat/AlternateStream", "the stat of f:s is that of f",
  .on = ON(GetFileStatBasicInformation), DOES(read_without_stream))
M("stat-root-times", "Stat/Root Path/RootUndescribed", "an undescribed root has a time",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"r")
M("stat-links", "Stat/OtherFields", "NumberOfLinks is 0",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, NumberOfLinks), .number = 1)
M("stat-device-type", "Stat/OtherFields", "DeviceType is 8",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, DeviceType), .number = 15)
M("stat-characteristics", "Stat/OtherFields", "DeviceCharacteristics has a bit",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, DeviceCharacteristics), .number = 2)
M("stat-serial", "Stat/OtherFields", "VolumeSerialNumber isn't 0",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, VolumeSerialNumber), .number = 77)
M("stat-reserved", "Stat/OtherFields", "Reserved isn't 0",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, Reserved), .number = 1)
M("stat-allocation", "Stat/OtherFields Metadata/UnwrittenTakesNoRoom", "AllocationSize is the size",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"a")
M("stat-tag", "Stat/OtherFields Metadata/Symlink Metadata/DirectoryReparsePoint", "ReparseTag has another bit",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, ReparseTag), .number = 1)
M("stat-tag-of-none", "Metadata/ReparseBitWithoutData CreateFile/DirectoryMetadata", "what is no reparse point has a tag",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, ReparseTag), .number = 0x80000000)
M("stat-one-id", "Stat/FileIds HardLink/SameFileIdUnmounted", "all files have one FileId",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"0")
M("stat-id-128", "Stat/FileIds", "FileId128 is another number than FileId",
  .on = ON(GetFileStatBasicInformation), DOES(stat_changed), .offset = offsetof(FILE_STAT_BASIC_INFORMATION, FileId128), .number = 1)
M("lookup-inverted", "LookupFile/Answers", "CimLookupFile's answer is the wrong way round",
  .on = ON(LookupFile), DOES(lookup_inverted))
M("lookup-always", "LookupFile/Answers", "CimLookupFile finds everything",
  .on = ON(LookupFile), DOES(lookup_inverted), .number = 2)
M("lookup-case-sensitive", "LookupFile/Answers", "CimLookupFile minds the case of names",
  .on = ON(LookupFile), DOES(case_sensitive))
M("lookup-output-left", "LookupFile/Malformed", "CimLookupFile leaves its output alone when it fails",
  .on = ON(LookupFile), DOES(outputs_left))

/* ---- metadata ---------------------------------------------------------------------------------------------- */
M("readonly-dropped", "Metadata/AttributesKept Metadata/AttributesTogether Extend/MetadataKept Volume/AttributesKept", "READONLY is dropped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"-", .number = FILE_ATTRIBUTE_READONLY)
M("hidden-dropped", "Metadata/AttributesKept Metadata/DirectoryAttributes Fork/MetadataKept", "HIDDEN is dropped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"-", .number = FILE_ATTRIBUTE_HIDDEN)
M("system-dropped", "Metadata/AttributesKept Metadata/DirectoryAttributes", "SYSTEM is dropped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"-", .number = FILE_ATTRIBUTE_SYSTEM)
M("archive-dropped", "Metadata/AttributesKept Metadata/AttributesTogether CreateFile/BuffersNotKept", "ARCHIVE is dropped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"-", .number = FILE_ATTRIBUTE_ARCHIVE)
M("archive-added", "Metadata/AttributesKept Metadata/NoAttributesIsNormal", "ARCHIVE is added",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(metadata_changed), .text = L"+", .number = FILE_ATTRIBUTE_ARCHIVE)
M("sparse-dropped", "Metadata/SparseBitKept Metadata/OtherAttributesDropped", "SPARSE_FILE is dropped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"-", .number = FILE_ATTRIBUTE_SPARSE_FILE)
M("sparse-added", "Metadata/UnwrittenTakesNoRoom", "SPARSE_FILE is added",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(metadata_changed), .text = L"+", .number = FILE_ATTRIBUTE_SPARSE_FILE)
M("other-attributes-reported", "Metadata/OtherAttributesDropped", "OFFLINE is reported",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"+", .number = FILE_ATTRIBUTE_OFFLINE)
M("normal-not-reported", "Metadata/NoAttributesIsNormal", "no attributes are reported as 0",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"n")
M("times-swapped", "Metadata/TimesKept Metadata/DirectoryTimesKept Volume/Times", "creation and write time are swapped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"c")
M("access-time-dropped", "Metadata/TimesKept Volume/Times", "the access time is the write time",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"a")
M("change-time-dropped", "Metadata/TimesKept Volume/Times", "the change time is the write time",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"h")
M("times-in-seconds", "Metadata/TimesKept", "times are cut to seconds",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"t")
M("times-zero-replaced", "Metadata/ZeroTimes", "a time of 0 is replaced by a present one",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"z")
M("size-unlimited", "Metadata/SizeOutOfRange", "a size out of range is cut to 48 bits",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(metadata_changed), .text = L"m")
M("descriptor-unchecked", "Metadata/InvalidDescriptor Metadata/LargeDescriptor", "the descriptor isn't looked at",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"d")
M("reparse-dropped", "Metadata/Symlink Metadata/DirectoryReparsePoint Metadata/ReparseDataWithoutBit Volume/SymbolicLinks Volume/ReparseData Volume/ReparseAttribute", "reparse data are dropped",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"r")
M("reparse-unchecked", "Metadata/InvalidReparseData", "reparse data aren't looked at",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"r")
M("reparse-bit-hidden", "Metadata/Symlink Metadata/DirectoryReparsePoint", "REPARSE_POINT isn't reported",
  .on = ON(GetFileStatBasicInformation), DOES(stat_kind_changed), .text = L"-", .number = FILE_ATTRIBUTE_REPARSE_POINT)
M("eas-unchecked", "Metadata/InvalidEas Metadata/MalformedEas", "EAs aren't looked at",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"e")

/* ---- paths --------------------------------------------------------------------------------------------------- */
#define PATHS (ON(CreateFile) | ON(CreateAlternateStream) | ON(CreateHardLink) | ON(DeletePath))
M("path-trailing-backslash", "Path/TrailingBackslash", "a trailing backslash is taken off",
  .on = PATHS, DOES(path_changed), .text = L"\\")
M("path-trailing-backslash-delete", "Path/TrailingBackslash", "CimDeletePath takes a trailing backslash off",
  .on = ON(DeletePath), DOES(path_changed), .text = L"\\")
M("path-empty-component", "Path/EmptyComponent", "two backslashes are one",
  .on = PATHS, DOES(path_changed), .text = L"2")
M("path-dots", "Path/Dots", "\".\" and \"..\" are resolved",
  .on = PATHS, DOES(path_changed), .text = L".")
M("path-dots-link-target", "Path/Dots", "CimCreateHardLink resolves \".\" and \"..\"",
  .on = ON(CreateHardLink), DOES(path_changed), .text = L".")
M("path-slash", "Path/Slash", "'/' is a separator",
  .on = PATHS, DOES(path_changed), .text = L"/")
M("path-slash-create", "Path/Slash", "'/' is a separator for CimCreateFile",
  .on = ON(CreateFile), DOES(path_changed), .text = L"/")
M("path-wildcards", "Path/Wildcards", "characters of wildcards are replaced",
  .on = PATHS, DOES(path_changed), .text = L"*")
M("path-wildcards-stream", "Path/Wildcards", "CimCreateAlternateStream replaces characters of wildcards",
  .on = ON(CreateAlternateStream), DOES(path_changed), .text = L"*")
M("path-controls", "Path/ControlCharacters", "control characters are replaced",
  .on = PATHS, DOES(path_changed), .text = L"c")
M("path-of-host", "Path/OfTheHost", "drives and \\\\?\\ are taken off",
  .on = PATHS, DOES(path_changed), .text = L"h")
M("path-component-cut", "Path/LongComponent", "a component of 256 units is cut",
  .on = PATHS, DOES(path_changed), .text = L"l", .number = 255)
M("path-too-long", "Path/TooLong", "a path over 32,767 units is cut",
  .on = PATHS, DOES(path_changed), .text = L"L")
M("odd-ends-cut", "Path/OddNames Path/OnlyCaseIsIgnored", "dots and blanks at a name's end are cut",
  .on = ON(CreateFile), DOES(path_changed), .text = L"e")
M("high-surrogates-lost", "Tree/BeyondTheBmp Tree/Surrogates", "high surrogates are dropped",
  .on = ON(CreateFile), DOES(path_changed), .text = L"S")
M("accents-ignored", "Path/OnlyCaseIsIgnored", "accents make no difference",
  .on = ON(CreateFile), DOES(path_changed), .text = L"a")
M("case-sensitive", "Path/CaseVariantsAreOne Tree/CaseVariants Extend/CaseOfNames", "CimCreateFile minds the case of names",
  .on = ON(CreateFile), DOES(case_sensitive))
M("case-of-ascii-only", "Path/CaseOfEveryLetter", "only ASCII letters have case",
  .on = ON(GetFileStatBasicInformation), DOES(read_case), .text = L"\x00c0")

/* ---- trees ------------------------------------------------------------------------------------------------------ */
M("many-files", "Tree/ManyFiles Tree/ManyFilesMounted", "files beyond 2,048 are lost",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(item_counted), .number = 2048)
M("many-deletes", "Tree/ManyFilesChanged", "deletions beyond 400 do nothing",
  .on = ON(DeletePath), DOES(item_counted), .number = 400)
M("many-directories", "Tree/ManyDirectories", "directories beyond 1,024 are lost",
  .on = ON(CreateFile), .when = MAKES_DIRECTORY, DOES(item_counted), .number = 1024)
M("names-cut-at-250", "Tree/LongNames Path/LongComponent Tree/LongestPath Volume/LongPath", "names are cut to 250 units",
  .on = ON(CreateFile), DOES(path_changed), .text = L"l", .number = 250)
M("names-cut-at-100", "Tree/NamesThatBeginAlike Volume/LongPath", "names are cut to 100 units",
  .on = ON(CreateFile), DOES(path_changed), .text = L"l", .number = 100)
M("many-streams", "Tree/ManyStreams", "streams beyond 256 are lost",
  .on = ON(CreateAlternateStream), DOES(item_counted), .number = 256)
M("many-links", "Tree/ManyLinks", "links beyond 1,023 are refused",
  .on = ON(CreateHardLink), .after = 1023, SKIPS(HR_WIN32(ERROR_TOO_MANY_LINKS)))
M("random-deletes-lost", "Tree/RandomCalls1 Tree/RandomCalls2 Tree/RandomCalls3", "every fourth deletion of a file does nothing",
  .on = ON(DeletePath), .when = OVER_FILE, .every = 4, SKIPS(S_OK))
M("random-streams-lost", "Tree/RandomCalls1 Tree/RandomCalls3", "every fiftieth alternate stream is lost",
  .on = ON(CreateAlternateStream), .when = OF_FILE, .every = 50, SKIPS(S_OK))
M("random-writes-lost", "Tree/RandomCalls2 Handle/ThreadsManyImages WriteStream/Pieces", "every fortieth write in a directory is lost",
  .on = ON(WriteStream), .every = 40, SKIPS(S_OK))

/* ---- CimWriteStream --------------------------------------------------------------------------------------------- */
M("write-second-dropped", "WriteStream/Appends WriteStream/SamplePieces", "the second write is dropped",
  .on = ON(WriteStream), .after = 1, .once = 1, SKIPS(S_OK))
M("write-every-third-dropped", "WriteStream/Pieces WriteStream/Appends", "every third write is dropped",
  .on = ON(WriteStream), .every = 3, SKIPS(S_OK))
M("write-byte-at-1m", "WriteStream/Lengths WriteStream/Large", "the byte at 1 MiB is changed",
  .on = ON(WriteStream), DOES(write_changed_at), .offset = 1 << 20)
M("write-byte-at-64k", "WriteStream/Lengths WriteStream/SamplePieces WriteStream/LargePastEnd", "the byte at 64 KiB is changed",
  .on = ON(WriteStream), DOES(write_changed_at), .offset = 65536)
M("write-byte-at-20m", "WriteStream/Large", "the byte at 20 MiB is changed",
  .on = ON(WriteStream), DOES(write_changed_at), .offset = 20 << 20)
M("zeros-changed", "WriteStream/Zeros", "a zero among those written is changed",
  .on = ON(WriteStream), DOES(zeros_changed))
M("executable-changed", "WriteStream/Executable CreateImage2/ExecutableIsPlainData", "a byte of an executable's header is changed",
  .on = ON(WriteStream), DOES(executable_changed))
M("sparse-data-dropped", "WriteStream/SparseFlag Metadata/SparseWithData", "data of a sparse file are dropped",
  .on = ON(WriteStream), DOES(write_sparse_dropped))
M("sparse-data-refused", "WriteStream/SparseFlag Metadata/SparseWithData", "a write to a sparse file is E_INVALIDARG",
  .on = ON(WriteStream), DOES(write_sparse_dropped), .to = E_INVALIDARG)
M("past-end-nothing-written", "WriteStream/PastEnd WriteStream/LargePastEnd WriteStream/AfterPastEnd", "a write past the end writes nothing",
  .on = ON(WriteStream), .when = WITH_FILE, DOES(write_all_or_nothing))
M("past-end-ends-session", "WriteStream/AfterPastEnd", "after a write past the end nothing succeeds",
  .on = ON(WriteStream) | ON(CreateFile) | ON(CommitImage), DOES(failure_breaks))
M("write-null-crashes", "WriteStream/NullBuffer WriteStream/NullBufferZeroBytes", "a NULL buffer is read",
  .on = ON(WriteStream), DOES(write_null_crashes))
M("rest-filled", "WriteStream/UnwrittenIsZero WriteStream/NothingWritten Metadata/SparseUnwritten Volume/NeverWritten", "what isn't written of a file is 0xff",
  .on = ON(CloseStream), .when = WITH_FILE, DOES(rest_filled), .number = 0xff)
M("huge-rest-not-zero", "WriteStream/HugeNothingWritten WriteStream/HugeShort Metadata/SizeLargest", "what lies behind 128 MiB isn't zero",
  .on = ON(ReadFile), DOES(read_changed), .offset = 128 << 20)
M("short-file-error", "WriteStream/ShortFileNoError", "after a file closed too early the commit fails",
  .on = ON(CloseStream) | ON(CommitImage), DOES(short_file_breaks))

/* ---- CimMountImage ---------------------------------------------------------------------------------------------- */
#define MOUNTS (ON(MountImage) | ON(DismountImage))
M("mount-nothing", "Mount/Volume Mount/GuidInEitherCase Mount/OutlivesItsProcess Volume/RootOpens Volume/OpensAsTheSampleDoes Volume/NotFound", "CimMountImage does nothing",
  .on = MOUNTS, DOES(mount_changed), .text = L"n")
M("mount-other-guid", "Mount/Volume Mount/HcsshimFlow Volume/DirectoryList", "the volume has another GUID than was given",
  .on = MOUNTS, DOES(mount_changed), .text = L"g")
M("mount-unknown-flags-ignored", "Mount/UnknownFlag Mount/FlagsThatDoNotFit", "unknown flags are ignored",
  .on = ON(MountImage), DOES(mount_changed), .text = L"f", .number = ~0xffu)
M("mount-attest-ignored", "Mount/FlagsThatDoNotFit", "ATTEST_HASH of an ordinary image is ignored",
  .on = ON(MountImage), DOES(mount_changed), .text = L"f", .number = 0x80)
M("mount-container-flags-ignored", "Container/HcsshimTestImage Mount/FlagsThatDoNotFit", "container flags are ignored",
  .on = ON(MountImage), DOES(mount_changed), .text = L"f", .number = 0x30)
M("mount-guid-used-replaced", "Mount/GuidInUse", "a GUID in use gets the new image",
  .on = ON(MountImage), DOES(mount_changed), .text = L"r")
M("mount-guid-used-ignored", "Mount/GuidInUse", "a GUID that this process mounted is S_OK again",
  .on = ON(MountImage), DOES(mount_changed), .text = L"a")
M("mount-guid-once", "Dismount/GuidIsFree Dismount/ManyTimes Dismount/OpenHandles", "a GUID can be used once",
  .on = ON(MountImage), DOES(mount_changed), .text = L"u")
M("mount-fork-is-base", "Mount/ChildOnlyIsIgnored Fork/BothMounted Fork/DeletedIsFileNotFound", "a fork is mounted as its base",
  .on = ON(MountImage), DOES(mount_changed), .text = L"b")
M("mount-one-at-a-time", "Mount/SeveralImages Mount/SeveralVolumesOfOneImage Fork/BothMounted", "a second volume is ERROR_SHARING_VIOLATION",
  .on = ON(MountImage), DOES(mount_changed), .text = L"1")
M("mount-image-once", "Mount/SeveralVolumesOfOneImage Dismount/OthersStay", "a second volume of an image is ERROR_SHARING_VIOLATION",
  .on = ON(MountImage), DOES(mount_changed), .text = L"i")
M("mount-while-session", "Mount/WhileASessionIsOpen", "a mount while there is a session is ERROR_SHARING_VIOLATION",
  .on = ON(MountImage), DOES(mount_changed), .text = L"s")
M("mount-needs-objectid", "Mount/WithoutObjectIds", "an image without object ID files can't be mounted",
  .on = ON(MountImage), DOES(mount_changed), .text = L"o")
M("mount-keeps-state", "Mount/ExtendedImageAgain", "an image is shown as it was when it was mounted first",
  .on = ON(MountImage), DOES(mount_changed), .text = L"h")
M("mount-keeps-region-open", "Mount/FilesAreFreeAfterDismount", "a region file stays open after the dismount",
  .on = ON(MountImage), DOES(mount_changed), .text = L"k")
M("mount-holds-files", "Volume/SharedReading Mount/Volume", "files on the volume can't be opened: they are held",
  .on = ON(MountImage), DOES(mount_changed), .text = L"x")
M("mount-writable", "Volume/ReadOnly Volume/NothingIsDeleted", "the volume can be written",
  .on = MOUNTS, DOES(mount_writable))
M("mount-name-is-path", "Mount/ImageNames", "the image's name may be a path",
  .on = ON(MountImage), DOES(mount_path))
M("mount-regions-come-back", "Mount/RegionMissing Mount/ParentsRegionMissing", "region files that were deleted are found elsewhere",
  .on = ON(MountImage) | ON(CloseImage), DOES(regions_come_back))
M("mount-locks-image", "Mount/ForkOfAMountedImage Mount/CommitAfterDismount", "a mounted image can't be opened",
  .on = ON(CreateImage), DOES(mounted_refused))
M("commit-dismounts", "Mount/CommitOverAMountedImage Mount/CommitAfterDismount", "the commit over a mounted image dismounts it",
  .on = ON(CommitImage), DOES(commit_dismounts))

/* ---- CimDismountImage ------------------------------------------------------------------------------------------- */
M("dismount-nothing", "Dismount/VolumeIsGone Dismount/RightAfterReading Dismount/OpenHandles", "CimDismountImage does nothing",
  .on = ON(DismountImage), DOES(dismount_changed), .text = L"n")
M("dismount-twice-accepted", "Dismount/Twice Dismount/OpenHandles", "a second dismount is S_OK",
  .on = ON(DismountImage), DOES(dismount_changed), .text = L"2")
M("dismount-own-only", "Dismount/ByAnotherProcess Mount/OutlivesAKill", "only the process that mounted can dismount",
  .on = ON(DismountImage), DOES(dismount_changed), .text = L"o")
M("dismount-all", "Dismount/OthersStay Mount/SeveralVolumesOfOneImage Mount/CommitAfterDismount", "all volumes of the image go with one",
  .on = ON(DismountImage), DOES(dismount_changed), .text = L"a")

/* ---- what a volume shows ---------------------------------------------------------------------------------------- */
M("write-byte-at-20000", "Volume/ReadInPieces Volume/ReadAtOffsets Volume/OverlappedReads", "the byte at 20,000 is changed",
  .on = ON(WriteStream), DOES(write_changed_at), .offset = 20000)
M("no-case-table", "Volume/StreamsInAnyCase Path/CaseOfEveryLetter", "the image's table of upper-case letters leaves ASCII alone",
  .on = ON(CloseImage), DOES(no_case_table))
M("names-beyond-ascii", "Volume/NamesInAnyCase", "letters beyond ASCII are replaced in names",
  .on = PATHS, DOES(path_changed), .text = L"A")
M("names-in-capitals", "Volume/DirectoryList Path/SpellingKept", "names are stored in capitals",
  .on = PATHS, DOES(path_changed), .text = L"U")
M("hidden-added", "Volume/Attributes Volume/AttributesDropped", "everything is HIDDEN",
  .on = ON(CreateFile), DOES(metadata_changed), .text = L"+", .number = FILE_ATTRIBUTE_HIDDEN)
M("empty-files-lost", "Volume/OddSizes", "empty files aren't made",
  .on = ON(CreateFile), .when = MAKES_FILE, DOES(empty_file_lost))

/* ---- containers, layers and seals --------------------------------------------------------------------------- */
M("container-flag-lost", "Container/HcsshimTestImage CreateImage2/Containers Container/TwoImages", "SINGLE_FILE is ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = 0x08)
M("device-flag-lost", "Device/HcsshimTestImage Device/Flags", "BLOCK_CIM is ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = 0x04)
M("container-not-consistent", "Container/ConsistentSameBytes Device/SameBytesAsFile Seal/ConsistentSameHash", "CONSISTENT_CIMS is ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = 0x10)
M("container-never-sealable", "Seal/HcsshimTest CreateImage2/VerifiedContainers Container/VerifiedMixed", "VERIFIED is ignored",
  .on = ON(CreateImage2), DOES(flags_masked), .number = 0x40)
M("read-2-flag-lost", "ReadFile2/OddSizes ReadFile2/Flags", "CimReadFile2 ignores its flags",
  .on = ON(ReadFile2), DOES(flags_masked), .number = 0xffffffff)
M("stat-2-flag-lost", "ReadFile2/OddSizes ReadFile2/Flags", "CimGetFileStatBasicInformation2 ignores its flags",
  .on = ON(GetFileStatBasicInformation2), DOES(flags_masked), .number = 0xffffffff)
M("tombstone-nothing", "Tombstone/HcsshimTest Tombstone/Directory Tombstone/OpaqueDirectory Tombstone/WithoutParents", "CimTombstoneFile does nothing",
  .on = ON(TombstoneFile), SKIPS(S_OK))
M("tombstone-deletes", "Merge/GrandchildLayer Merge/NamesInAnyCase Tombstone/HcsshimTest Tombstone/WithoutParents Tombstone/OverAnItem", "CimTombstoneFile is CimDeletePath",
  .on = ON(TombstoneFile), DOES(tombstone_deletes))
M("merge-link-nothing", "MergeLink/HcsshimTest MergeLink/Unresolved", "CimCreateMergeLink does nothing",
  .on = ON(CreateMergeLink), SKIPS(S_OK))
M("merge-link-is-hard-link", "Merge/GrandchildLayer MergeLink/MissingTarget MergeLink/HcsshimTest", "CimCreateMergeLink is CimCreateHardLink",
  .on = ON(CreateMergeLink), DOES(merge_link_links))
M("second-source-lost", "Merge/HcsshimFiles Merge/HcsshimDevices", "only the first source of a merged image counts",
  .on = ON(AddFsToMergedImage2), .after = 1, SKIPS(S_OK))
M("source-lost", "Merge/HcsshimDirectories Merge/InDirectories", "sources of a merged image in a directory aren't added",
  .on = ON(AddFsToMergedImage), SKIPS(S_OK))
M("source-never-verified", "Merge/SourceFlags MergeMountVerified/HcsshimFiles MergeMountVerified/HcsshimDevices", "CIM_MERGE_VERIFIED is ignored",
  .on = ON(AddFsToMergedImage2), DOES(flags_masked), .number = 0x4)
M("seal-nothing", "Seal/HcsshimTest Verification/Sealed Seal/NoMoreSessions", "CimSealImage does nothing",
  .on = ON(SealImage), SKIPS(S_OK))
M("seal-other-hash", "Seal/HcsshimTest MountVerified/WrongHash Verification/Sealed", "the root hash is told with a wrong last byte",
  .on = ON(SealImage), DOES(seal_changed), .number = 31)
M("seal-no-size", "Seal/HcsshimTest Seal/Outputs", "CimSealImage tells no hash size",
  .on = ON(SealImage), DOES(seal_changed), .number = 32)
M("seal-once", "Seal/Twice", "a container is sealed once",
  .on = ON(SealImage), .after = 1, SKIPS(E_ACCESSDENIED))
M("verified-mount-unverified", "Seal/FreeAfterwards MountVerified/WrongHash MountVerified/NotSealed MountVerified/Refused", "CimMountVerifiedImage is CimMountImage",
  .on = ON(MountVerifiedImage), DOES(verified_unverified))
M("convert-nothing", "Convert/IntoContainer Convert/OntoDevice", "CimConvertBlockImage does nothing",
  .on = ON(ConvertBlockImage), SKIPS(S_OK))
M("merge-mount-nothing", "Merge/HcsshimFiles MergeMount/GuidInUse", "CimMergeMountImage does nothing",
  .on = ON(MergeMountImage), SKIPS(S_OK))
M("merge-mount-verified-nothing", "MergeMountVerified/HcsshimFiles MergeMountVerified/Refused", "CimMergeMountVerifiedImage does nothing",
  .on = ON(MergeMountVerifiedImage), SKIPS(S_OK))
M("verification-nothing", "Verification/Sealed Verification/Answers", "CimGetVerificationInformation does nothing",
  .on = ON(GetVerificationInformation), SKIPS(S_OK))
M("mounted-container-held", "Container/FreeAfterDismount", "a container that was mounted is never let go of",
  .on = ON(MountImage), DOES(container_held))
M("source-held", "Merge/SourcesFreeAfterClose Merge/FreeAfterDismount", "a source's container is never let go of",
  .on = ON(AddFsToMergedImage2), DOES(container_held))
M("sealed-container-held", "Seal/FreeAfterwards", "a container that was sealed is never let go of",
  .on = ON(SealImage), DOES(container_held))
M("deleted-is-hidden", "Tombstone/DeletePathHidesNothing", "CimDeletePath leaves a tombstone",
  .on = ON(DeletePath), DOES(delete_tombstones))
M("sources-turned-around", "Merge/KindOfItem Merge/GrandchildLayer", "the first two sources change places",
  .on = ON(AddFsToMergedImage2), DOES(second_source_first))
M("links-lost", "Merge/HardLinks", "CimCreateHardLink does nothing",
  .on = ON(CreateHardLink), SKIPS(S_OK))
M("container-for-directories", "Merge/KindOfPlace", "CimAddFsToMergedImage2 ignores what kind of place a source is in",
  .on = ON(AddFsToMergedImage2), DOES(source_taken))
