//! The network of a cell of its own: loopback.
//!
//! It runs in the cell's init, see there what that may do.

use super::gate::call;
use super::init::check;
use super::stage::Stage;

/// Has loopback carry packets: in a new network namespace it is down (network_namespaces(7)).
pub(super) fn loopback_up() -> Result<(), (Stage, i32)> {
    let stage = Stage::Loopback;
    let (family, kind) = (libc::AF_INET as usize, (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize);
    // SAFETY: no pointers.
    let socket = check(stage, unsafe { call(libc::SYS_socket, family, kind, 0, 0, 0) })?;
    // netdevice(7): the interface's name, and its flags.
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let (command, request) = (libc::SIOCSIFFLAGS as usize, &raw const request as usize);
    // SAFETY: `request` lives through the call.
    let up = unsafe { call(libc::SYS_ioctl, socket, command, request, 0, 0) };
    // SAFETY: only a number.
    unsafe { call(libc::SYS_close, socket, 0, 0, 0, 0) };
    check(stage, up).map(|_| ())
}
