/// Writes [`invoke_command`](crate::TrustedApplication::invoke_command) out of methods with typed parameters, inside an
/// `impl` of [`TrustedApplication`](crate::TrustedApplication).
///
/// Each line is a number (or a constant) and a method, with a name for each of its parameters after `&mut self`. Their
/// types are those of the method: what implements [`Input`](crate::wire::Input) if there is one parameter, or
/// [`Item`](crate::wire::Item) if there are several. The method answers what implements
/// [`Output`](crate::wire::Output), or a `Result` of it. [`wire`](crate::wire) says which bytes that makes.
///
/// Input that does not fit the types is [`BAD_FORMAT`](crate::ResultCode::BAD_FORMAT), a command that is not in the list
/// [`NOT_SUPPORTED`](crate::ResultCode::NOT_SUPPORTED).
///
/// ```
/// use tamarack_ta::{ResultCode, TrustedApplication, objects, testing};
///
/// struct Scores;
///
/// const TOTAL: u32 = 3;
///
/// impl Scores {
///     fn add(&mut self, player: &str, points: u32) -> Result<u32, ResultCode> {
///         let total = self.total(player)? + points;
///         objects::write(player, &total.to_be_bytes())?;
///         Ok(total)
///     }
///
///     fn forget(&mut self, player: &str) -> Result<(), ResultCode> {
///         objects::delete(player)
///     }
///
///     fn total(&mut self, player: &str) -> Result<u32, ResultCode> {
///         match objects::read(player) {
///             Ok(bytes) => Ok(u32::from_be_bytes(bytes.try_into().map_err(|_| ResultCode::CORRUPT_OBJECT)?)),
///             Err(ResultCode::ITEM_NOT_FOUND) => Ok(0),
///             Err(other) => Err(other),
///         }
///     }
/// }
///
/// impl TrustedApplication for Scores {
///     fn create() -> Result<Self, ResultCode> {
///         Ok(Self)
///     }
///
///     tamarack_ta::commands! {
///         1 => add(player, points),
///         2 => forget(player),
///         TOTAL => total(player),
///     }
/// }
///
/// let mut session = testing::Session::<Scores>::open(b"")?;
/// assert_eq!(session.call::<u32>(1, ("Ada", 7))?, 7);
/// assert_eq!(session.call::<u32>(TOTAL, "Ada")?, 7);
/// session.call::<()>(2, "Ada")?;
/// assert_eq!(session.call::<u32>(TOTAL, "Ada")?, 0);
/// assert_eq!(session.invoke(1, b"Ada"), Err(ResultCode::BAD_FORMAT));
/// assert_eq!(session.invoke(9, b""), Err(ResultCode::NOT_SUPPORTED));
/// # Ok::<(), ResultCode>(())
/// ```
#[macro_export]
macro_rules! commands {
    ($($number:pat => $method:ident($($parameter:ident),* $(,)?)),* $(,)?) => {
        fn invoke_command(
            &mut self,
            command: u32,
            input: &[u8],
        ) -> ::core::result::Result<$crate::Vec<u8>, $crate::ResultCode> {
            match command {
                $($number => {
                    let ($($parameter,)*) = $crate::wire::Parameters::from_input(input)?;
                    $crate::wire::Output::into_output(self.$method($($parameter),*))
                })*
                _ => ::core::result::Result::Err($crate::ResultCode::NOT_SUPPORTED),
            }
        }
    };
}
