//! What functions of the C library share behind their interface: a handler that calls one while another is half done finds the
//! lock taken or the data between two states (signal-safety(7)).

use super::safe;
use std::collections::BTreeSet;

/// What several functions work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// The heap of malloc(3).
    Heap,
    /// Streams of stdio(3), and the list of them.
    Streams,
    /// The time zone, and what tzset(3) has read.
    Zone,
    /// The connection of syslog(3).
    Log,
    /// setlocale(3).
    Locale,
    /// The databases of users, groups and hosts (nsswitch.conf(5)).
    Databases,
    /// environ(7).
    Environment,
    /// The functions of atexit(3).
    Exits,
    /// The state of random(3).
    Chance,
    /// What dlopen(3) has loaded.
    Loaded,
}

use State::{Chance, Databases, Environment, Exits, Heap, Loaded, Locale, Log, Streams, Zone};

/// Functions by what they work on, without checked, large-file and unlocked forms.
const FAMILIES: &[(&[State], &[&str])] = &[
    (
        &[Heap],
        &[
            "malloc",
            "calloc",
            "realloc",
            "reallocarray",
            "free",
            "cfree",
            "memalign",
            "aligned_alloc",
            "posix_memalign",
            "valloc",
            "pvalloc",
            "malloc_trim",
            "malloc_usable_size",
            "mallinfo",
            "mallinfo2",
            "strdup",
            "strndup",
            "wcsdup",
            "asprintf",
            "vasprintf",
            "getcwd",
            "get_current_dir_name",
            "realpath",
            "canonicalize_file_name",
            "opendir",
            "fdopendir",
            "closedir",
            "scandir",
            "glob",
            "globfree",
            "regcomp",
            "regfree",
            "tempnam",
            "tsearch",
            "tdelete",
            "hcreate",
            "hdestroy",
            "qsort",
            "getdelim",
            "getline",
            "_Znwm",
            "_Znam",
            "_ZdlPv",
            "_ZdaPv",
            "_ZdlPvm",
            "_ZdaPvm",
            "_ZnwmRKSt9nothrow_t",
            "_ZnamRKSt9nothrow_t",
        ],
    ),
    (
        &[Streams, Heap],
        &[
            "printf",
            "vprintf",
            "fprintf",
            "vfprintf",
            "dprintf",
            "vdprintf",
            "puts",
            "fputs",
            "putchar",
            "putc",
            "fputc",
            "_IO_putc",
            "putw",
            "fwrite",
            "fread",
            "fgets",
            "gets",
            "fgetc",
            "getc",
            "_IO_getc",
            "getchar",
            "ungetc",
            "getw",
            "scanf",
            "fscanf",
            "vscanf",
            "vfscanf",
            "perror",
            "psignal",
            "fflush",
            "fopen",
            "freopen",
            "fdopen",
            "fclose",
            "fcloseall",
            "fmemopen",
            "open_memstream",
            "tmpfile",
            "popen",
            "pclose",
            "setvbuf",
            "setbuf",
            "fseek",
            "fseeko",
            "ftell",
            "ftello",
            "rewind",
            "fgetpos",
            "fsetpos",
            "flockfile",
            "funlockfile",
            "wprintf",
            "fwprintf",
            "fputws",
            "putwchar",
            "fgetws",
            "err",
            "errx",
            "warn",
            "warnx",
            "error",
        ],
    ),
    (
        &[Zone, Heap, Environment],
        &[
            "localtime",
            "localtime_r",
            "mktime",
            "timelocal",
            "tzset",
            "ctime",
            "ctime_r",
            "strftime",
            "gmtime",
            "gmtime_r",
            "timegm",
            "getdate",
        ],
    ),
    (&[Log, Streams, Heap, Zone], &["syslog", "vsyslog", "openlog", "closelog", "setlogmask"]),
    (
        &[Locale, Heap, Environment],
        &[
            "setlocale",
            "newlocale",
            "freelocale",
            "duplocale",
            "bindtextdomain",
            "textdomain",
            "gettext",
            "dgettext",
            "dcgettext",
            "ngettext",
            "strsignal",
            "strerror",
        ],
    ),
    (
        &[Databases, Heap],
        &[
            "getpwnam",
            "getpwuid",
            "getpwent",
            "setpwent",
            "endpwent",
            "getpwnam_r",
            "getpwuid_r",
            "getgrnam",
            "getgrgid",
            "getgrent",
            "setgrent",
            "endgrent",
            "getgrnam_r",
            "getgrgid_r",
            "initgroups",
            "getgrouplist",
            "getlogin",
            "getlogin_r",
            "getaddrinfo",
            "freeaddrinfo",
            "getnameinfo",
            "gethostbyname",
            "gethostbyaddr",
            "gethostbyname_r",
            "getservbyname",
            "getservbyport",
            "getprotobyname",
            "getspnam",
            "res_init",
            "res_query",
        ],
    ),
    (&[Environment, Heap], &["setenv", "putenv", "unsetenv", "clearenv"]),
    (&[Environment], &["getenv", "secure_getenv"]),
    (&[Exits, Streams], &["exit", "atexit", "on_exit", "__cxa_atexit"]),
    (
        &[Chance],
        &[
            "random",
            "srandom",
            "rand",
            "srand",
            "initstate",
            "setstate",
            "drand48",
            "lrand48",
            "mrand48",
            "srand48",
        ],
    ),
    (
        &[Loaded, Heap],
        &[
            "dlopen",
            "dlclose",
            "dlsym",
            "dlvsym",
            "dladdr",
            "dlerror",
            "dl_iterate_phdr",
            "backtrace",
            "backtrace_symbols",
            "backtrace_symbols_fd",
        ],
    ),
];

/// What a function works on; nothing if that is not known.
pub(super) fn states(name: &str) -> BTreeSet<State> {
    let plain = safe::plain(name);
    let plain = plain.strip_suffix("_unlocked").unwrap_or(plain);
    let named = |names: &[&str]| names.contains(&plain) || names.contains(&name);
    FAMILIES.iter().filter(|(_, names)| named(names)).flat_map(|(states, _)| states.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_share_something_are_of_one_family_and_none_is_safe() {
        let share = |one: &str, other: &str| !states(one).is_disjoint(&states(other));
        for (one, other) in [
            ("malloc", "realloc"),
            ("__printf_chk", "puts"),
            ("printf", "malloc"),
            ("localtime", "strftime"),
            ("syslog", "localtime_r"),
            ("fputs_unlocked", "fopen64"),
            ("_Znwm", "free"),
            ("exit", "fflush"),
        ] {
            assert!(share(one, other), "{one} {other}");
        }
        for (one, other) in
            [("random", "malloc"), ("getenv", "puts"), ("write", "write"), ("strtol", "malloc")]
        {
            assert!(!share(one, other), "{one} {other}");
        }
        let safe = FAMILIES.iter().flat_map(|(_, names)| names.iter()).filter(|name| safe::is_safe(name));
        assert_eq!(safe.collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
