//! The areas of the product: one package in `functions/` each, deployed as one nested stack each.

use kit::Visitor;

use crate::Functions;

/// Lists the areas once: their packages register their functions.
macro_rules! areas {
    ($($name:literal => $package:ident,)*) => {
        /// Visits every function of every area.
        pub fn every(visitor: &mut impl Visitor) {
            $($package::register(visitor);)*
        }

        /// The functions of each area, by the name of its folder in `functions/`.
        pub fn areas() -> Vec<(&'static str, Functions)> {
            vec![$(($name, {
                let mut functions = Functions::default();
                $package::register(&mut functions);
                functions
            }),)*]
        }
    };
}

areas! {
    "auth" => auth,
    "settings" => settings,
    "api-keys" => api_keys,
    "activity" => activity,
    "resources" => resources,
    "trash" => trash,
    "privacy" => privacy,
    "workers" => workers,
}
