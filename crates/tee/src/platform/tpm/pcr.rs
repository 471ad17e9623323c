//! Platform configuration registers, of the bank of SHA-256.

use std::collections::BTreeMap;

use tss_esapi::{
    Context, Error, WrapperErrorKind,
    constants::SessionType,
    interface_types::{algorithm::HashingAlgorithm, session_handles::PolicySession},
    structures::{Digest, PcrSelectionList, PcrSlot},
};

use super::connection::with_session;

/// As the TPM writes it.
pub(super) fn selection(pcrs: &[u8]) -> tss_esapi::Result<PcrSelectionList> {
    let slots = pcrs.iter().map(|pcr| {
        let bit = 1_u32.checked_shl(u32::from(*pcr));
        PcrSlot::try_from(bit.unwrap_or_default())
            .map_err(|_| Error::WrapperError(WrapperErrorKind::InvalidParam))
    });
    let slots = slots.collect::<tss_esapi::Result<Vec<_>>>()?;
    PcrSelectionList::builder()
        .with_selection(HashingAlgorithm::Sha256, &slots)
        .build()
}

/// The values now.
pub(super) fn read(
    context: &mut Context,
    pcrs: &[u8],
) -> tss_esapi::Result<BTreeMap<u8, [u8; 32]>> {
    let mut values = BTreeMap::new();
    // A TPM answers with eight values at most.
    for some in pcrs.chunks(8) {
        let (_, selected, digests) = context.pcr_read(selection(some)?)?;
        let mut in_order = some.to_vec();
        in_order.sort_unstable();
        in_order.dedup();
        // One that has no bank of SHA-256, or a PCR less, answers with less.
        let complete = digests.value().len() == in_order.len() && selected == selection(some)?;
        if !complete {
            return Err(Error::WrapperError(WrapperErrorKind::WrongValueFromTpm));
        }
        for (pcr, digest) in in_order.into_iter().zip(digests.value()) {
            let value = <[u8; 32]>::try_from(digest.value())
                .map_err(|_| Error::WrapperError(WrapperErrorKind::WrongValueFromTpm))?;
            values.insert(pcr, value);
        }
    }
    Ok(values)
}

/// The policy that these PCRs have the values that they have now.
pub(super) fn policy(context: &mut Context, pcrs: &[u8]) -> tss_esapi::Result<Digest> {
    with_session(context, None, SessionType::Trial, |context, session| {
        let session = PolicySession::try_from(session)?;
        context.policy_pcr(session, Digest::default(), selection(pcrs)?)?;
        context.policy_get_digest(session)
    })
}
