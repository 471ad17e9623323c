use tamarack_agent::{
    link::ComponentKind,
    platform::Namespace,
    state::{ComponentRecord, Record},
};
use tamarack_ta::ResultCode;
use zeroize::Zeroizing;

use super::{TaServices, code};

impl TaServices {
    /// Reads Personalization Data: the component below this TA's identifier, if it is of the same domain.
    pub(crate) fn personalization_read(
        &mut self,
        name: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let id = self
            .application
            .record
            .component
            .clone()
            .joined(name.as_bytes());
        let id = id.map_err(|_| ResultCode::BAD_PARAMETERS)?.to_cbor();
        let view = self.view()?;
        let found = ComponentRecord::load(&*view, &id).map_err(code)?;
        if !found.is_some_and(|found| self.is_own_data(&found)) {
            return Err(ResultCode::ITEM_NOT_FOUND);
        }
        let data = view.get(&Namespace::domain(&self.application.record.domain), &id);
        let data = data.map_err(code)?.ok_or(ResultCode::ITEM_NOT_FOUND)?;
        Ok(Zeroizing::new(data))
    }

    /// Names of the Personalization Data, sorted.
    pub(crate) fn personalization_names(&mut self) -> Result<Vec<String>, ResultCode> {
        let depth = self.application.record.component.segments().count();
        let mut names = Vec::new();
        for found in ComponentRecord::all(&*self.view()?).map_err(code)? {
            let id = &found.component;
            if id.starts_with(&self.application.record.component)
                && id.segments().count() == depth + 1
                && self.is_own_data(&found)
            {
                // What is no text has no name that could be asked for.
                let name = id
                    .segments()
                    .last()
                    .map(<[u8]>::to_vec)
                    .map(String::from_utf8);
                names.extend(name.and_then(Result::ok));
            }
        }
        names.sort();
        Ok(names)
    }

    /// A domain with a longer prefix could own what looks like ours.
    fn is_own_data(&self, found: &ComponentRecord) -> bool {
        found.domain == self.application.record.domain && found.kind == ComponentKind::Data
    }
}
