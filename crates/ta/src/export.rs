/// Makes a type that implements [`TrustedApplication`](crate::TrustedApplication) the TA of this crate.
///
/// Used once, at the top level of a crate of type `cdylib`. On targets other than WebAssembly it checks
/// the type and exports nothing.
#[macro_export]
macro_rules! export {
    ($application:ty) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the names are the TEE's entry points")]
        const _: () = {
            static INSTANCE: $crate::abi::Instance<$application> = $crate::abi::Instance::new();

            #[unsafe(no_mangle)]
            extern "C" fn tee_abi_v1() {}

            #[unsafe(no_mangle)]
            extern "C" fn tee_create() -> u32 {
                INSTANCE.create()
            }

            #[unsafe(no_mangle)]
            extern "C" fn tee_open_session(input_len: usize) -> u32 {
                INSTANCE.open_session(input_len)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tee_invoke_command(command: u32, input_len: usize) -> u32 {
                INSTANCE.invoke_command(command, input_len)
            }

            #[unsafe(no_mangle)]
            extern "C" fn tee_close_session() {
                INSTANCE.close_session();
            }

            #[unsafe(no_mangle)]
            extern "C" fn tee_destroy() {
                INSTANCE.destroy();
            }

            #[unsafe(no_mangle)]
            extern "C" fn tee_migrate(input_len: usize) -> u32 {
                INSTANCE.migrate(input_len)
            }
        };

        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_trusted_application<T: $crate::TrustedApplication>() {}
            is_trusted_application::<$application>();
        };
    };
}
