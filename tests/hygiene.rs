//! Rules of the code, as tests.
