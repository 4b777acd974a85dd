//! Lambda entry point of `promo-create`. Its grants (written by `cargo generate`):
//!
//! - Reads promotions.
//! - Writes promotions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::promo_create::CreatePromotion>()
}
