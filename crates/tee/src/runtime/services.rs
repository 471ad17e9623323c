use tamarack_ta::ResultCode;

/// The TEE as one session of a TA sees it: its objects, its keys, its Personalization Data.
///
/// Names were checked already: 1 to [`MAX_NAME_LEN`](tamarack_ta::interface::MAX_NAME_LEN) bytes of UTF-8. That
/// names of one TA never reach what belongs to another is the implementation's duty.
///
/// Each call into the TA is a transaction: the runtime ends it with [`commit`](Self::commit) or
/// [`abort`](Self::abort), and reads in between see what was written before them. Errors are result codes
/// that the TA receives; [`ResultCode::CORRUPT_OBJECT`] stands for data that does not authenticate.
pub trait Services: Send {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], or whatever kept it from being read.
    fn object_read(&mut self, name: &str) -> Result<Vec<u8>, ResultCode>;

    /// Writes an object, replacing it as a whole. The quota for stored bytes is enforced here.
    ///
    /// # Errors
    ///
    /// [`ResultCode::STORAGE_NO_SPACE`], or whatever kept it from being written.
    fn object_write(&mut self, name: &str, data: &[u8]) -> Result<(), ResultCode>;

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], or whatever kept it from being deleted.
    fn object_delete(&mut self, name: &str) -> Result<(), ResultCode>;

    /// Names of all objects, sorted.
    ///
    /// # Errors
    ///
    /// Whatever kept them from being read.
    fn object_names(&mut self) -> Result<Vec<String>, ResultCode>;

    /// Reads Personalization Data.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], or whatever kept it from being read.
    fn personalization_read(&mut self, name: &str) -> Result<Vec<u8>, ResultCode>;

    /// Makes an ESP256 key. Keys and objects have separate names.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if there is one of that name.
    fn key_generate(&mut self, name: &str) -> Result<(), ResultCode>;

    /// The public half of a key, as an encoded `COSE_Key`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`].
    fn key_public(&mut self, name: &str) -> Result<Vec<u8>, ResultCode>;

    /// Signs `message`; 64 bytes.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`].
    fn key_sign(&mut self, name: &str, message: &[u8]) -> Result<Vec<u8>, ResultCode>;

    /// Destroys a key.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`].
    fn key_delete(&mut self, name: &str) -> Result<(), ResultCode>;

    /// Fills `out` with cryptographically secure random bytes.
    ///
    /// # Errors
    ///
    /// If there is no randomness to give; the session then dies.
    fn random(&mut self, out: &mut [u8]) -> Result<(), ResultCode>;

    /// Seconds since 1970-01-01 UTC.
    fn now(&mut self) -> u64;

    /// A line that the TA logs: at most [`MAX_LOG_LEN`](tamarack_ta::interface::MAX_LOG_LEN) bytes, without control
    /// characters.
    fn log(&mut self, line: &str);

    /// Makes what the call changed durable.
    ///
    /// # Errors
    ///
    /// If that failed; nothing of it may then have taken effect, and the session dies.
    fn commit(&mut self) -> Result<(), ResultCode>;

    /// Forgets what the call changed.
    fn abort(&mut self);
}
