//! The network of a cell of its own: loopback, with the machine's settings.
//!
//! All but [`settings`] runs in the cell's init, see there what that may do.

use super::gate::call;
use super::init::check;
use super::procnet;
use super::stage::Stage;
use nix::unistd::Gid;
use std::ffi::{CStr, CString};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Settings of a network that a program may depend on, below `/proc/sys/net`; all others are the kernel's own in a new one
/// (`Documentation/networking/ip-sysctl.rst`).
const SETTINGS: &[&str] = &[
    "core/somaxconn",
    "unix/max_dgram_qlen",
    // The ports that anybody may have and those that the kernel chooses from limit each other, whichever comes first.
    "ipv4/ip_local_port_range",
    "ipv4/ip_unprivileged_port_start",
    "ipv4/ip_local_port_range",
    GROUPS,
    "ipv4/ip_nonlocal_bind",
    "ipv4/tcp_abort_on_overflow",
    "ipv4/tcp_fastopen",
    "ipv4/tcp_fin_timeout",
    "ipv4/tcp_keepalive_time",
    "ipv4/tcp_keepalive_intvl",
    "ipv4/tcp_keepalive_probes",
    "ipv4/tcp_rmem",
    SEND_BUFFERS,
    "ipv4/tcp_syn_retries",
    "ipv4/tcp_tw_reuse",
    "ipv6/bindv6only",
    "ipv6/conf/all/disable_ipv6",
    "ipv6/conf/lo/disable_ipv6",
];
/// Settings that a run's own network always has.
const FIXED: &[(&str, &str)] = &[
    // What connections of one run took would count for those of the next.
    ("ipv4/tcp_no_metrics_save", "1"),
    // How far a receive buffer grows, and with it how much can be sent, hangs on how long it takes the program to read.
    ("ipv4/tcp_moderate_rcvbuf", "0"),
    // Of two acknowledgements that wait together one is dropped, with the window that it grants, unless a millisecond has begun
    // between them; and segments are as large as windows were.
    ("ipv4/tcp_timestamps", "0"),
];
/// The least, the usual and the greatest size of a send buffer, in bytes.
const SEND_BUFFERS: &str = "ipv4/tcp_wmem";
/// How large it is at most here: a little less than what the kernel grants any connection over loopback when it is made. How far it
/// would grow from there hangs on how fast acknowledgements come.
const MOST_UNSENT: u64 = 2560 << 10;
/// Who may make sockets for ICMP echoes (icmp(7)).
const GROUPS: &str = "ipv4/ping_group_range";

/// One of them, as the machine has it.
#[derive(Debug)]
pub(super) struct Setting {
    path: CString,
    text: CString,
}

/// What the machine's settings are, for a network whose user namespace has this group alone, or every group.
pub(super) fn settings(group: Option<Gid>) -> io::Result<Vec<Setting>> {
    let mut settings = Vec::new();
    for name in SETTINGS {
        let path = format!("/proc/sys/net/{name}");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // Another kernel, or one without IPv6.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let text = match group {
            Some(group) if *name == GROUPS => match procnet::range(&text) {
                Some(range) if range.contains(&group.as_raw()) => format!("{group} {group}"),
                // Nobody may, as in a new network.
                _ => continue,
            },
            _ if *name == SEND_BUFFERS => send_buffers(&text).unwrap_or(text),
            _ => text,
        };
        settings.push(Setting { path: CString::new(path)?, text: CString::new(text)? });
    }
    for (name, text) in FIXED {
        let path = format!("/proc/sys/net/{name}");
        if Path::new(&path).exists() {
            settings.push(Setting { path: CString::new(path)?, text: CString::new(*text)? });
        }
    }
    Ok(settings)
}

/// These sizes, none of which is larger than it may be; none where it is not told which they are.
fn send_buffers(text: &str) -> Option<String> {
    let sizes: Vec<u64> = text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [least, usual, most] = sizes[..] else { return None };
    let [least, usual, most] = [least, usual, most].map(|size| size.min(MOST_UNSENT));
    Some(format!("{least} {usual} {most}"))
}

/// Makes a network with these settings, in which loopback carries packets.
pub(super) fn make(settings: &[Setting]) -> Result<(), (Stage, i32)> {
    // SAFETY: no pointers.
    let made = unsafe { call(libc::SYS_unshare, libc::CLONE_NEWNET as usize, 0, 0, 0, 0) };
    check(Stage::NetworkNamespace, made)?;
    set(settings)?;
    loopback_up()
}

fn set(settings: &[Setting]) -> Result<(), (Stage, i32)> {
    for (number, Setting { path, text }) in settings.iter().enumerate() {
        // SAFETY: both end with a zero byte and live through the calls.
        let written = unsafe {
            let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
            let fd = call(libc::SYS_open, path.as_ptr() as usize, flags, 0, 0, 0);
            let fd = check(Stage::NetworkSettings, fd)?;
            let written = call(libc::SYS_write, fd, text.as_ptr() as usize, text.as_bytes().len(), 0, 0);
            call(libc::SYS_close, fd, 0, 0, 0, 0);
            written
        };
        let comes_again = settings.iter().skip(number + 1).any(|other| other.path == *path);
        if !comes_again {
            check(Stage::NetworkSettings, written)?;
        }
    }
    Ok(())
}

fn socket(stage: Stage) -> Result<usize, (Stage, i32)> {
    let (family, kind) = (libc::AF_INET as usize, (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize);
    // SAFETY: no pointers.
    check(stage, unsafe { call(libc::SYS_socket, family, kind, 0, 0, 0) })
}

/// Has loopback carry packets: in a new network namespace it is down (network_namespaces(7)).
fn loopback_up() -> Result<(), (Stage, i32)> {
    let stage = Stage::Loopback;
    let socket = socket(stage)?;
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
    check(stage, up)?;
    acknowledge_at_once()
}

/// Has what is sent over loopback be acknowledged at once. A delayed acknowledgement may keep the sender from sending on
/// (Nagle's algorithm), so that for a while everybody sleeps, and is not hung.
fn acknowledge_at_once() -> Result<(), (Stage, i32)> {
    let host = libc::RT_SCOPE_HOST;
    let replace = (libc::RTM_NEWROUTE, libc::NLM_F_REPLACE);
    let four = [127, 0, 0, 1];
    let preferred = Some((libc::RTA_PREFSRC, &four[..]));
    for (address, bits) in [([127, 0, 0, 0], 8), (four, 32)] {
        let error = Route::to(libc::AF_INET, &address, bits, host, preferred).ask(replace, true)?;
        check(Stage::Acknowledgements, error)?;
    }
    // The kernel's own route of this address cannot be replaced; without IPv6 there is none.
    let six = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let everywhere = libc::RT_SCOPE_UNIVERSE;
    let removed =
        Route::to(libc::AF_INET6, &six, 128, everywhere, None).ask((libc::RTM_DELROUTE, 0), false)?;
    if removed == 0 {
        let first = 1u32.to_ne_bytes();
        let route = Route::to(libc::AF_INET6, &six, 128, everywhere, Some((libc::RTA_PRIORITY, &first)));
        let made = route.ask((libc::RTM_NEWROUTE, libc::NLM_F_CREATE), true)?;
        check(Stage::Acknowledgements, made)?;
    }
    Ok(())
}

/// A request about a local route of loopback (rtnetlink(7)): a header of 16 bytes, one of 12, attributes.
#[repr(align(4))]
struct Route {
    bytes: [u8; 128],
    length: usize,
}

impl Route {
    fn to(family: i32, address: &[u8], bits: u8, scope: u8, other: Option<(u16, &[u8])>) -> Route {
        /// Loopback is the first interface of each network.
        const LOOPBACK: u32 = 1;
        let mut route = Route { bytes: [0; 128], length: 28 };
        let (table, protocol, kind) = (libc::RT_TABLE_LOCAL, libc::RTPROT_KERNEL, libc::RTN_LOCAL);
        route.put(16, &[family as u8, bits, 0, 0, table, protocol, scope, kind]);
        route.attribute(libc::RTA_DST, address);
        route.attribute(libc::RTA_OIF, &LOOPBACK.to_ne_bytes());
        if let Some((name, value)) = other {
            route.attribute(name, value);
        }
        route
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn attribute(&mut self, name: u16, value: &[u8]) {
        let at = self.length;
        self.put(at, &(4 + value.len() as u16).to_ne_bytes());
        self.put(at + 2, &name.to_ne_bytes());
        self.put(at + 4, value);
        self.length += 4 + value.len().next_multiple_of(4);
    }

    /// Makes the request: zero, or a negative error number.
    fn ask(mut self, (what, how): (u16, i32), acknowledges: bool) -> Result<isize, (Stage, i32)> {
        /// RTAX_QUICKACK (linux/rtnetlink.h), a struct rtattr with the value 1.
        const AT_ONCE: [u8; 8] = [8, 0, 15, 0, 1, 0, 0, 0];
        let stage = Stage::Acknowledgements;
        if acknowledges {
            self.attribute(libc::RTA_METRICS, &AT_ONCE);
        }
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | how) as u16;
        self.put(0, &(self.length as u32).to_ne_bytes());
        self.put(4, &what.to_ne_bytes());
        self.put(6, &flags.to_ne_bytes());
        let mut answer = [0u8; 256];
        let (family, kind) = (libc::AF_NETLINK as usize, (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize);
        // SAFETY: the buffers are as long as said, and live through the calls.
        let (sent, got) = unsafe {
            let socket = call(libc::SYS_socket, family, kind, libc::NETLINK_ROUTE as usize, 0, 0);
            let socket = check(stage, socket)?;
            let sent = call(libc::SYS_write, socket, self.bytes.as_ptr() as usize, self.length, 0, 0);
            let got = call(libc::SYS_read, socket, answer.as_mut_ptr() as usize, answer.len(), 0, 0);
            call(libc::SYS_close, socket, 0, 0, 0, 0);
            (sent, got)
        };
        check(stage, sent)?;
        // An NLMSG_ERROR, which is also what says that all is well (netlink(7)).
        if check(stage, got)? < 20 {
            return Err((stage, libc::EBADMSG));
        }
        Ok(i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) as isize)
    }
}

/// How many descriptors at most the supervisor is to have of the network.
pub(super) const OPENED: usize = 4;

/// Opens them: the range of ports, the folder of its files, a socket, and one that ends others, where that is allowed.
pub(super) fn opened() -> Result<[Option<usize>; OPENED], (Stage, i32)> {
    let stage = Stage::NetworkFiles;
    let open = |path: &CStr, flags: i32| {
        // SAFETY: the path ends with a zero byte.
        let fd = unsafe {
            call(libc::SYS_open, path.as_ptr() as usize, (flags | libc::O_CLOEXEC) as usize, 0, 0, 0)
        };
        check(stage, fd)
    };
    let ports = open(c"/proc/sys/net/ipv4/ip_local_port_range", libc::O_RDWR)?;
    let folder = open(c"/proc/self/net", libc::O_PATH | libc::O_DIRECTORY)?;
    Ok([Some(ports), Some(folder), Some(socket(stage)?), diagnosis()])
}

/// A socket that asks about the sockets of the network (sock_diag(7)). Without it a run costs more, and is the same.
fn diagnosis() -> Option<usize> {
    let (family, kind) = (libc::AF_NETLINK as usize, (libc::SOCK_RAW | libc::SOCK_CLOEXEC) as usize);
    // SAFETY: no pointers.
    let fd = unsafe { call(libc::SYS_socket, family, kind, libc::NETLINK_SOCK_DIAG as usize, 0, 0) };
    usize::try_from(fd).ok()
}
