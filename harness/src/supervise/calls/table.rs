//! The rows. Sources: the man page of each call, and for what it may wake the kernel's own code.

use super::Clock::{In, Realtime};
use super::Ends::{After, At};
use super::Unit::{Millis, Timespec, Timeval};
use super::{Call, Changes, Ends, Looks, Numbers, Scope, Sleep, UNKNOWN, Wakes};
use syscalls::Sysno as S;

/// It concerns its caller alone: whoever sleeps, sleeps on.
const OWN: Call = Call {
    sleep: Sleep::Never,
    ends: Ends::Timeless,
    wakes: Wakes::Nobody,
    changes: Changes::NOTHING,
    looks: Looks::No,
    numbers: Numbers::No,
    scope: Scope::Others,
};

/// It concerns its own process alone, and tells nothing of others but their files.
const PROCESS: Call = Call { scope: Scope::Process, ..OWN };

/// It says how its process takes signals.
const SIGNALS: Call = Call { scope: Scope::Signals, ..OWN };

/// It does something to files, directories or descriptors, which somebody may watch or wait for.
const FILES: Call = Call { wakes: Wakes::Descriptors, ..OWN };

/// It sends, ends, stops or changes others.
const OTHERS: Call = Call { wakes: Wakes::Anybody, ..OWN };

/// It ends, makes or signals others, who are known.
const KNOWN: Call = Call { wakes: Wakes::AllButSignals, ..OWN };

/// It opens something, and may wait for that.
const OPENING: Call = changing(sleeping(FILES, Sleep::Opening), Changes::DESCRIPTORS);

const fn sleeping(call: Call, sleep: Sleep) -> Call {
    Call { sleep, ..call }
}

const fn until(call: Call, ends: Ends) -> Call {
    Call { ends, ..call }
}

const fn changing(call: Call, changes: Changes) -> Call {
    Call { changes, ..call }
}

const fn looking(call: Call, looks: Looks) -> Call {
    Call { looks, ..call }
}

const fn showing(call: Call, numbers: Numbers) -> Call {
    Call { numbers, ..call }
}

const fn reading(arg: usize) -> Call {
    sleeping(FILES, Sleep::Read(arg))
}

const fn writing(arg: usize) -> Call {
    sleeping(FILES, Sleep::Write(arg))
}

/// WNOHANG of wait(2).
const NO_HANG: u64 = libc::WNOHANG as u64;

/// Calls, and what is known of each of them.
pub(super) const TABLE: &[(&[S], Call)] = &[
    // What tells of files, and which.
    (&[S::stat, S::fstat, S::lstat, S::newfstatat, S::statx], showing(PROCESS, Numbers::Told)),
    (&[S::file_getattr, S::name_to_handle_at], showing(OWN, Numbers::Now)),
    (&[S::chdir, S::chroot], showing(OWN, Numbers::Path(0))),
    // What a process asks of files, its own memory, and what it asks about itself.
    (
        &[
            S::statfs,
            S::fstatfs,
            S::ustat,
            S::access,
            S::faccessat,
            S::faccessat2,
            S::readlink,
            S::readlinkat,
            S::getxattr,
            S::lgetxattr,
            S::fgetxattr,
            S::listxattr,
            S::llistxattr,
            S::flistxattr,
            S::getxattrat,
            S::listxattrat,
            S::statmount,
            S::listmount,
            S::getcwd,
            S::mmap,
            S::mprotect,
            S::brk,
            S::mremap,
            S::mincore,
            S::madvise,
            S::mlock,
            S::mlock2,
            S::munlock,
            S::mlockall,
            S::munlockall,
            S::mseal,
            S::pkey_mprotect,
            S::pkey_alloc,
            S::pkey_free,
            S::map_shadow_stack,
            S::rseq,
            S::arch_prctl,
            S::set_thread_area,
            S::get_thread_area,
            S::set_tid_address,
            S::set_robust_list,
            S::modify_ldt,
            S::getpid,
            S::gettid,
            S::getuid,
            S::geteuid,
            S::getgid,
            S::getegid,
            S::getresuid,
            S::getresgid,
            S::getgroups,
            S::getrlimit,
            S::uname,
            S::umask,
            S::getrandom,
            S::getcpu,
            S::clock_getres,
            S::sched_get_priority_max,
            S::sched_get_priority_min,
            S::personality,
        ],
        PROCESS,
    ),
    // What it asks about others, or of what it may share with them.
    (
        &[
            S::lseek,
            S::cachestat,
            S::readahead,
            S::fadvise64,
            S::mbind,
            S::set_mempolicy,
            S::get_mempolicy,
            S::set_mempolicy_home_node,
            S::remap_file_pages,
            S::msync,
            S::migrate_pages,
            S::move_pages,
            S::membarrier,
            S::get_robust_list,
            S::iopl,
            S::ioperm,
            S::getppid,
            S::getpgrp,
            S::getpgid,
            S::getsid,
            S::capget,
            S::getpriority,
            S::ioprio_get,
            S::prlimit64,
            S::setrlimit,
            S::getrusage,
            S::sysinfo,
            S::sysfs,
            S::fchdir,
            S::kcmp,
            S::sched_rr_get_interval,
            S::sched_getparam,
            S::sched_getscheduler,
            S::sched_getattr,
            S::sched_getaffinity,
            S::sched_setparam,
            S::sched_setscheduler,
            S::sched_setattr,
            S::sched_setaffinity,
            S::setpriority,
            S::ioprio_set,
            S::lsm_get_self_attr,
            S::lsm_list_modules,
            S::getsockname,
            S::getpeername,
            S::getsockopt,
            S::uselib,
        ],
        OWN,
    ),
    // Reading clocks, and yielding: what loops do that wait for something.
    (&[S::clock_gettime, S::gettimeofday, S::time], looking(PROCESS, Looks::Always)),
    (&[S::times, S::sched_yield, S::getitimer, S::timer_gettime], looking(OWN, Looks::Always)),
    (&[S::timer_getoverrun, S::timerfd_gettime], OWN),
    // Descriptors that are new: nobody waits for them yet.
    (
        &[
            S::dup,
            S::pipe,
            S::pipe2,
            S::socketpair,
            S::eventfd,
            S::eventfd2,
            S::epoll_create,
            S::epoll_create1,
            S::inotify_init,
            S::inotify_init1,
            S::timerfd_create,
            S::memfd_create,
            S::memfd_secret,
            S::pidfd_open,
            S::userfaultfd,
            S::landlock_create_ruleset,
            S::mq_getsetattr,
        ],
        changing(OWN, Changes::DESCRIPTORS),
    ),
    (&[S::socket], showing(changing(OWN, Changes::DESCRIPTORS), Numbers::Family(0))),
    (
        &[S::fanotify_init, S::perf_event_open, S::bpf],
        showing(changing(OWN, Changes::DESCRIPTORS), Numbers::Later),
    ),
    (&[S::signalfd, S::signalfd4], changing(OWN, Changes::PENDING)),
    // Signals of the process itself. What becomes unblocked is its caller's, or a sibling's that looks by itself.
    (&[S::rt_sigaction], changing(SIGNALS, Changes::HANDLERS)),
    (&[S::rt_sigprocmask], changing(SIGNALS, Changes::MASK)),
    (&[S::rt_sigpending], changing(SIGNALS, Changes::PENDING)),
    (&[S::sigaltstack, S::rt_sigreturn], SIGNALS),
    // Timers: armed by the supervisor, never by the kernel, but for those of CPU time.
    (
        &[S::alarm, S::setitimer, S::timer_create, S::timer_settime, S::timer_delete, S::timerfd_settime],
        changing(OWN, Changes::TIMERS),
    ),
    // Files and directories; also reading a directory is something that can be watched (inotify(7)).
    (&[S::getdents, S::getdents64], showing(FILES, Numbers::Now)),
    (
        &[
            S::rename,
            S::renameat,
            S::renameat2,
            S::mkdir,
            S::mkdirat,
            S::rmdir,
            S::link,
            S::linkat,
            S::unlink,
            S::unlinkat,
            S::symlink,
            S::symlinkat,
            S::mknod,
            S::mknodat,
            S::chmod,
            S::fchmod,
            S::fchmodat,
            S::fchmodat2,
            S::chown,
            S::fchown,
            S::lchown,
            S::fchownat,
            S::utime,
            S::utimes,
            S::utimensat,
            S::futimesat,
            S::truncate,
            S::ftruncate,
            S::fallocate,
            S::fsync,
            S::fdatasync,
            S::sync,
            S::syncfs,
            S::sync_file_range,
            S::setxattr,
            S::lsetxattr,
            S::fsetxattr,
            S::removexattr,
            S::lremovexattr,
            S::fremovexattr,
            S::setxattrat,
            S::removexattrat,
            S::file_setattr,
            S::munmap,
            S::bind,
            S::listen,
            S::inotify_add_watch,
            S::inotify_rm_watch,
            S::fanotify_mark,
            S::epoll_ctl,
            S::mq_unlink,
            S::copy_file_range,
            S::shmdt,
            S::shmat,
            S::shmget,
            S::quotactl,
            S::quotactl_fd,
        ],
        FILES,
    ),
    (&[S::setsockopt, S::shutdown, S::mq_open], changing(FILES, Changes::DESCRIPTORS)),
    (
        &[S::dup2, S::dup3, S::close, S::close_range],
        changing(sleeping(FILES, Sleep::Lingering), Changes::DESCRIPTORS),
    ),
    (&[S::open, S::creat], showing(OPENING, Numbers::Path(0))),
    (&[S::openat, S::openat2], showing(OPENING, Numbers::Path(1))),
    (&[S::open_by_handle_at], showing(OPENING, Numbers::Later)),
    // What moves data. A message may also make a signal (mq_notify(3)), and one to a process its socket's owner (O_ASYNC).
    (&[S::read, S::readv, S::pread64, S::preadv, S::preadv2], reading(0)),
    (
        &[S::recvfrom, S::recvmsg, S::recvmmsg, S::accept, S::accept4],
        changing(reading(0), Changes::DESCRIPTORS),
    ),
    (
        &[
            S::write,
            S::writev,
            S::pwrite64,
            S::pwritev,
            S::pwritev2,
            S::sendto,
            S::sendmsg,
            S::sendmmsg,
            S::connect,
            S::vmsplice,
        ],
        writing(0),
    ),
    (&[S::sendfile], sleeping(FILES, Sleep::Transfer(1, 0))),
    (&[S::splice], sleeping(FILES, Sleep::Transfer(0, 2))),
    (&[S::tee], sleeping(FILES, Sleep::Transfer(0, 1))),
    (&[S::mq_timedreceive], until(reading(0), At(4, Realtime))),
    (&[S::mq_timedsend], until(sleeping(OTHERS, Sleep::Write(0)), At(4, Realtime))),
    (&[S::mq_notify], OTHERS),
    // What waits for descriptors.
    (&[S::poll], looking(until(sleeping(OWN, Sleep::Poll), After(2, Millis)), Looks::Zero(2))),
    (&[S::ppoll], looking(until(sleeping(OWN, Sleep::Poll), After(2, Timespec)), Looks::NoTime(2))),
    (&[S::select], looking(until(sleeping(OWN, Sleep::Select), After(4, Timeval)), Looks::NoTime(4))),
    (&[S::pselect6], looking(until(sleeping(OWN, Sleep::Select), After(4, Timespec)), Looks::NoTime(4))),
    (&[S::epoll_wait], looking(until(sleeping(FILES, Sleep::Epoll(0)), After(3, Millis)), Looks::Zero(3))),
    (
        &[S::epoll_pwait],
        changing(
            looking(until(sleeping(FILES, Sleep::Epoll(0)), After(3, Millis)), Looks::Zero(3)),
            Changes::PENDING,
        ),
    ),
    (
        &[S::epoll_pwait2],
        changing(
            looking(until(sleeping(FILES, Sleep::Epoll(0)), After(3, Timespec)), Looks::NoTime(3)),
            Changes::PENDING,
        ),
    ),
    // What waits for signals, children, threads, time.
    (&[S::pause, S::rt_sigsuspend], sleeping(OWN, Sleep::Signal)),
    (
        &[S::rt_sigtimedwait],
        changing(
            looking(until(sleeping(OWN, Sleep::Awaited), After(2, Timespec)), Looks::NoTime(2)),
            Changes::PENDING,
        ),
    ),
    (&[S::wait4], looking(sleeping(KNOWN, Sleep::Child), Looks::With(2, NO_HANG))),
    (&[S::waitid], looking(sleeping(KNOWN, Sleep::Child), Looks::With(3, NO_HANG))),
    (&[S::futex], until(sleeping(Call { wakes: Wakes::Futexes, ..PROCESS }, Sleep::Futex), Ends::Futex)),
    (&[S::futex_waitv], until(sleeping(OWN, Sleep::Futexes), At(3, In(4)))),
    (&[S::futex_wait], until(sleeping(OWN, Sleep::Futexes), At(4, In(5)))),
    (&[S::futex_wake, S::futex_requeue], Call { wakes: Wakes::Futexes, ..OWN }),
    (&[S::nanosleep], looking(until(sleeping(OWN, Sleep::Time), After(0, Timespec)), Looks::NoTime(0))),
    (&[S::clock_nanosleep], until(sleeping(OWN, Sleep::Time), Ends::ClockNanosleep)),
    (&[S::restart_syscall], sleeping(OWN, Sleep::Restarted)),
    (&[S::msgrcv, S::msgsnd, S::semop], sleeping(OTHERS, Sleep::Ipc)),
    (&[S::semtimedop], until(sleeping(OTHERS, Sleep::Ipc), After(3, Timespec))),
    (&[S::semget, S::msgget], OWN),
    (&[S::semctl, S::msgctl, S::shmctl], OTHERS),
    (&[S::flock, S::fcntl], changing(sleeping(OTHERS, Sleep::Lock(0)), Changes::DESCRIPTORS)),
    (&[S::io_getevents, S::io_pgetevents], until(sleeping(FILES, Sleep::Requests), After(4, Timespec))),
    (&[S::io_setup, S::io_submit, S::io_destroy, S::io_cancel], FILES),
    // What makes, ends, signals and changes processes.
    (&[S::clone, S::clone3, S::fork, S::vfork], sleeping(KNOWN, Sleep::Offspring)),
    (&[S::exit, S::exit_group], sleeping(KNOWN, Sleep::Ending)),
    (&[S::execve, S::execveat], changing(KNOWN, Changes::HANDLERS)),
    (&[S::kill, S::tkill], looking(KNOWN, Looks::Zero(1))),
    (&[S::tgkill], looking(KNOWN, Looks::Zero(2))),
    (&[S::rt_sigqueueinfo, S::rt_tgsigqueueinfo, S::pidfd_send_signal, S::process_mrelease], KNOWN),
    (&[S::pidfd_getfd], changing(OTHERS, Changes::DESCRIPTORS)),
    (
        &[
            S::setpgid,
            S::setsid,
            S::setuid,
            S::setgid,
            S::setreuid,
            S::setregid,
            S::setresuid,
            S::setresgid,
            S::setfsuid,
            S::setfsgid,
            S::setgroups,
            S::capset,
            S::prctl,
            S::unshare,
            S::seccomp,
            S::landlock_add_rule,
            S::landlock_restrict_self,
            S::process_vm_readv,
            S::process_vm_writev,
            S::process_madvise,
            S::lsm_set_self_attr,
        ],
        OTHERS,
    ),
    // What may show files, `/proc` among them, in other places.
    (
        &[
            S::setns,
            S::mount,
            S::umount2,
            S::pivot_root,
            S::open_tree,
            S::open_tree_attr,
            S::move_mount,
            S::fsopen,
            S::fsconfig,
            S::fsmount,
            S::fspick,
            S::mount_setattr,
        ],
        showing(OTHERS, Numbers::Later),
    ),
    // The machine's own.
    (
        &[
            S::swapon,
            S::swapoff,
            S::reboot,
            S::sethostname,
            S::setdomainname,
            S::settimeofday,
            S::clock_settime,
            S::adjtimex,
            S::clock_adjtime,
            S::acct,
            S::kexec_load,
            S::kexec_file_load,
            S::init_module,
            S::finit_module,
            S::delete_module,
            S::add_key,
            S::request_key,
            S::keyctl,
            S::vhangup,
        ],
        OTHERS,
    ),
    // Unknown on purpose: a device may wait for whatever it likes; a tracer and its tracees know each other; a ring works
    // outside of calls; and what no kernel has any more.
    (&[S::ioctl], showing(UNKNOWN, Numbers::Request(1))),
    (
        &[
            S::ptrace,
            S::syslog,
            S::io_uring_setup,
            S::io_uring_enter,
            S::io_uring_register,
            S::uretprobe,
            S::uprobe,
            S::lookup_dcookie,
            S::_sysctl,
            S::create_module,
            S::get_kernel_syms,
            S::query_module,
            S::nfsservctl,
            S::getpmsg,
            S::putpmsg,
            S::afs_syscall,
            S::tuxcall,
            S::security,
            S::epoll_ctl_old,
            S::epoll_wait_old,
            S::vserver,
        ],
        UNKNOWN,
    ),
];
