//! Which system calls a TEE needs, and which it can only be made to do.
//!
//! A call that is neither here nor there is refused, and nothing comes of it.

use nix::libc as c;

/// What the storage, threads, the allocator, the link's connections and the way out need, whatever their arguments.
pub(super) const NEEDED: &[i64] = &[
    // Files, which Landlock confines, and descriptors that are open.
    c::SYS_close,
    c::SYS_copy_file_range,
    c::SYS_faccessat,
    c::SYS_faccessat2,
    c::SYS_fadvise64,
    c::SYS_fallocate,
    c::SYS_fchmod,
    c::SYS_fchmodat,
    c::SYS_fcntl,
    c::SYS_fdatasync,
    c::SYS_flock,
    c::SYS_fstat,
    c::SYS_fstatfs,
    c::SYS_fsync,
    c::SYS_ftruncate,
    c::SYS_getcwd,
    c::SYS_getdents64,
    c::SYS_lseek,
    c::SYS_mkdirat,
    c::SYS_newfstatat,
    c::SYS_openat,
    c::SYS_pread64,
    c::SYS_preadv,
    c::SYS_pwrite64,
    c::SYS_pwritev,
    c::SYS_read,
    c::SYS_readlinkat,
    c::SYS_readv,
    c::SYS_renameat,
    c::SYS_renameat2,
    c::SYS_statfs,
    c::SYS_statx,
    c::SYS_unlinkat,
    c::SYS_write,
    c::SYS_writev,
    // Connections that were made to the link's socket, and waiting for them.
    c::SYS_accept,
    c::SYS_accept4,
    c::SYS_getpeername,
    c::SYS_getsockname,
    c::SYS_getsockopt,
    c::SYS_ppoll,
    c::SYS_pselect6,
    c::SYS_recvfrom,
    c::SYS_recvmsg,
    c::SYS_sendmsg,
    c::SYS_sendto,
    c::SYS_setsockopt,
    c::SYS_shutdown,
    // Memory. What maps it has arguments to watch: see the filter.
    c::SYS_brk,
    c::SYS_madvise,
    c::SYS_mlock,
    c::SYS_mlock2,
    c::SYS_mremap,
    c::SYS_munlock,
    c::SYS_munmap,
    // Threads, signals to oneself, and the end.
    c::SYS_exit,
    c::SYS_exit_group,
    c::SYS_futex,
    c::SYS_getpid,
    c::SYS_gettid,
    c::SYS_membarrier,
    c::SYS_restart_syscall,
    c::SYS_rseq,
    c::SYS_rt_sigaction,
    c::SYS_rt_sigprocmask,
    c::SYS_rt_sigreturn,
    c::SYS_sched_getaffinity,
    c::SYS_sched_yield,
    c::SYS_set_robust_list,
    c::SYS_sigaltstack,
    // Time, randomness, and who one is.
    c::SYS_clock_getres,
    c::SYS_clock_gettime,
    c::SYS_clock_nanosleep,
    c::SYS_getegid,
    c::SYS_geteuid,
    c::SYS_getgid,
    c::SYS_getrandom,
    c::SYS_gettimeofday,
    c::SYS_getuid,
    c::SYS_nanosleep,
    c::SYS_sysinfo,
    c::SYS_umask,
    c::SYS_uname,
];

/// The older forms of the calls above, which a C library for this processor may still use; others never had them.
#[cfg(target_arch = "x86_64")]
pub(super) const NEEDED_HERE: &[i64] = &[
    c::SYS_access,
    c::SYS_chmod,
    c::SYS_lstat,
    c::SYS_mkdir,
    c::SYS_open,
    c::SYS_poll,
    c::SYS_readlink,
    c::SYS_rename,
    c::SYS_rmdir,
    c::SYS_select,
    c::SYS_stat,
    c::SYS_time,
    c::SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
pub(super) const NEEDED_HERE: &[i64] = &[];

/// What runs other programs, reaches into other processes, or changes the machine.
pub(super) const HOSTILE: &[i64] = &[
    // Other programs.
    c::SYS_execve,
    c::SYS_execveat,
    // Other processes, their memory and their descriptors.
    c::SYS_kcmp,
    c::SYS_pidfd_getfd,
    c::SYS_process_madvise,
    c::SYS_process_vm_readv,
    c::SYS_process_vm_writev,
    c::SYS_ptrace,
    // Mounts, namespaces and roots.
    c::SYS_chroot,
    c::SYS_fsconfig,
    c::SYS_fsmount,
    c::SYS_fsopen,
    c::SYS_fspick,
    c::SYS_mount,
    c::SYS_mount_setattr,
    c::SYS_move_mount,
    c::SYS_open_by_handle_at,
    c::SYS_open_tree,
    c::SYS_pivot_root,
    c::SYS_setns,
    c::SYS_umount2,
    c::SYS_unshare,
    // Code and data in the kernel, and the parts of it that break most often.
    c::SYS_add_key,
    c::SYS_bpf,
    c::SYS_delete_module,
    c::SYS_finit_module,
    c::SYS_init_module,
    c::SYS_kexec_load,
    c::SYS_keyctl,
    c::SYS_perf_event_open,
    c::SYS_request_key,
    c::SYS_userfaultfd,
    // Other users and rights.
    c::SYS_capset,
    c::SYS_setfsgid,
    c::SYS_setfsuid,
    c::SYS_setgid,
    c::SYS_setgroups,
    c::SYS_setregid,
    c::SYS_setresgid,
    c::SYS_setresuid,
    c::SYS_setreuid,
    c::SYS_setuid,
    // The machine.
    c::SYS_acct,
    c::SYS_adjtimex,
    c::SYS_clock_settime,
    c::SYS_quotactl,
    c::SYS_reboot,
    c::SYS_setdomainname,
    c::SYS_sethostname,
    c::SYS_settimeofday,
    c::SYS_swapoff,
    c::SYS_swapon,
    c::SYS_syslog,
];

/// The same, on this processor only.
#[cfg(target_arch = "x86_64")]
pub(super) const HOSTILE_HERE: &[i64] = &[
    c::SYS_fork,
    c::SYS_ioperm,
    c::SYS_iopl,
    c::SYS_kexec_file_load,
    c::SYS_vfork,
];
/// `kexec_file_load`, which not every C library has a name for.
#[cfg(target_arch = "aarch64")]
pub(super) const HOSTILE_HERE: &[i64] = &[294];
