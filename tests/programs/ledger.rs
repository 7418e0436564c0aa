//! Two counters that are equal but for an instruction or two, and a handler that compares them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

mod ledger {
    use super::{AtomicUsize, Relaxed};

    pub static DEBIT: AtomicUsize = AtomicUsize::new(0);
    pub static CREDIT: AtomicUsize = AtomicUsize::new(0);

    pub struct Book;

    impl Book {
        #[inline(never)]
        pub fn enter(&self, amount: usize) {
            DEBIT.fetch_add(amount, Relaxed);
            CREDIT.fetch_add(amount, Relaxed);
        }
    }
}

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}

extern "C" fn check(_: i32) {
    if ledger::DEBIT.load(Relaxed) != ledger::CREDIT.load(Relaxed) {
        unsafe { _exit(1) }
    }
}

fn main() {
    unsafe { signal(10, check) };
    ledger::Book.enter(3);
    ledger::Book.enter(4);
}
