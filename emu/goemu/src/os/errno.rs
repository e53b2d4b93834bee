//! Error numbers of Linux, which libc's `errno` has as well where it is emulated. A system call gives them negated.

macro_rules! errno {
    ($($name:ident = $number:literal;)+) => {
        $( pub(crate) const $name: i64 = $number; )+
    };
}

errno! {
    EPERM = 1;
    ENOENT = 2;
    ESRCH = 3;
    EBADF = 9;
    EAGAIN = 11;
    ENOMEM = 12;
    EFAULT = 14;
    EEXIST = 17;
    EINVAL = 22;
    EMFILE = 24;
    ENOTTY = 25;
    ESPIPE = 29;
    EPIPE = 32;
    ETIMEDOUT = 110;
}
