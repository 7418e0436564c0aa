//! What calls that are held or answered leave behind: what is left of a timeout, what a timer has missed, what a stop breaks off, and
//! what the kernel refuses. Each program does the same as bare.

mod supervised;

use supervised::same_c;

#[test]
fn what_is_left_of_a_timeout_is_written_back() {
    same_c("select_left.c");
}

#[test]
fn a_timer_that_starts_in_the_past_has_expired_as_often_as_it_says() {
    same_c("past_timers.c");
}

#[test]
fn a_stop_breaks_off_the_waits_that_it_breaks_off_in_the_kernel() {
    same_c("stop_waits.c");
}

#[test]
fn what_the_kernel_refuses_is_refused_at_once() {
    same_c("refused_calls.c");
}
