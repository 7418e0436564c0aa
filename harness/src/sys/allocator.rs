//! What the C library's allocator does with memory that is not used any more (mallopt(3)).

/// Larger pieces are mapped one by one, and given back as soon as they are not used.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;

/// Has large pieces always be given back. By itself the allocator keeps pieces as large as the largest that it has seen freed, up to 32 MiB,
/// in each thread's heap: a long run, which one thread makes and another throws away, would take its memory several times.
pub fn give_back_large() {
    // SAFETY: it takes two numbers. That it is refused leaves all as it was.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
