//! The orders that the supervisor gives the run's init, as they go over the control socket.
//!
//! Receiving runs in the init, see there what that may do.

use super::gate::call;
use std::mem::size_of;

/// Start the program. An order begins with its letter.
pub(super) const GO: u8 = b'g';
/// Start the client whose number among the roots follows. The descriptors of its standard output and error come with this.
pub(super) const CLIENT: u8 = b'c';
/// End everything of the run. The numbers of the processes that are known to be left follow, in the cell's pid namespace.
pub(super) const END: u8 = b'e';
/// Make upper layers anew that were written to. Their numbers follow.
pub(super) const FRESH: u8 = b'f';
/// Make the network anew.
pub(super) const NETWORK: u8 = b'n';
/// Open what shows the IPC objects of the cell.
pub(super) const IPC: u8 = b'i';
/// Make the namespace of its IPC objects anew.
pub(super) const FRESH_IPC: u8 = b'j';
/// How many may follow. Of more, none are named.
pub(super) const MOST_NAMED: usize = 1000;

/// Where an order is read to: its letter, three bytes of nothing, and numbers.
#[repr(C, align(4))]
struct Order {
    letter: u8,
    padding: [u8; 3],
    numbers: [i32; MOST_NAMED],
}
static mut ORDER: Order = Order { letter: 0, padding: [0; 3], numbers: [0; MOST_NAMED] };
/// The bytes of an order before its numbers.
const HEAD: usize = 4;

/// An order, as it goes over the control socket.
pub(super) fn written(letter: u8, numbers: &[i32]) -> Vec<u8> {
    let head = [letter, 0, 0, 0];
    head.into_iter().chain(numbers.iter().flat_map(|number| number.to_ne_bytes())).collect()
}

/// Takes the next order from this socket: its letter, its numbers, none if it is no order, and the two descriptors that came
/// with it, if any did.
pub(super) fn receive(control: usize) -> (u8, Option<&'static [i32]>, Option<[usize; 2]>) {
    // One control message: struct cmsghdr (16 bytes), two descriptors (unix(7), cmsg(3)).
    let mut ancillary = [0u64; 3];
    // SAFETY: the init has one thread, and nobody else uses the static, which is as large as said. All-zero is a valid
    // msghdr; the pointers put into it live through the call.
    let (got, filled) = unsafe {
        let data = libc::iovec { iov_base: (&raw mut ORDER).cast(), iov_len: size_of::<Order>() };
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = (&raw const data).cast_mut();
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut ancillary).cast();
        header.msg_controllen = size_of_val(&ancillary);
        let flags = libc::MSG_CMSG_CLOEXEC as usize;
        let got = call(libc::SYS_recvmsg, control, &raw mut header as usize, flags, 0, 0);
        (got, header.msg_controllen == size_of_val(&ancillary))
    };
    let rights = (libc::SOL_SOCKET as u64) | ((libc::SCM_RIGHTS as u64) << 32);
    let fds = [ancillary[2] as u32 as usize, (ancillary[2] >> 32) as usize];
    let sent = got > 0 && filled && ancillary[0] == 24 && ancillary[1] == rights;
    let order = &raw const ORDER;
    // SAFETY: nobody writes to the static before the next order.
    let order = unsafe { &*order };
    let count = usize::try_from(got).unwrap_or(0).checked_sub(HEAD).map(|bytes| bytes / 4);
    (order.letter, count.and_then(|count| order.numbers.get(..count)), sent.then_some(fds))
}
