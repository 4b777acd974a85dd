//! Lambda entry point of `send-mail`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<workers::send_mail::SendMail>()
}
