use std::path::PathBuf;

/// Something outside the data folder that a platform has to reach after the process was confined.
///
/// What a platform can open before, and keep open, it does not need to name. Everything named here is open to whoever
/// takes the process over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// To read a file, or all files below a folder.
    Read(PathBuf),
    /// To read and write a file, or to make, read, write and remove files and folders below a folder, as in configfs.
    Write(PathBuf),
    /// To open a device, and to control it (`ioctl`).
    Device(PathBuf),
    /// To connect to sockets of the local machine, of whatever name: where they are, the kernel can't be told.
    UnixSockets,
    /// To connect by TCP to this port, at whatever address.
    Tcp(u16),
}
