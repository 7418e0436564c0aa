//! Descriptors that come to have fixed numbers.

use super::*;
use std::fs::File;
use std::os::fd::AsRawFd;

#[test]
fn what_has_the_number_of_the_control_socket_is_moved_before_that_gets_it() {
    let counter = File::open("/dev/null").unwrap();
    let taken = counter.as_raw_fd();
    let [stdout, stderr, asked, given] = out_of([1, 2, taken, 0], taken as usize).unwrap();
    assert_eq!((stdout, stderr, given), (1, 2, 0));
    assert!(asked >= FIRST_FREE && asked != taken as usize, "{asked}");
    let same = |fd: usize| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
    assert_eq!(same(asked), same(taken as usize));
    // SAFETY: only a number, of a descriptor that has just been made.
    assert_eq!(unsafe { call(libc::SYS_close, asked, 0, 0, 0, 0) }, 0);
}
