//! Teams: shared workspaces, their members and invitations.

mod foreign_members;
mod invitation;
mod member_change;
mod membership;

kit::functions! {
    endpoint create::CreateTeam;
    endpoint list::ListTeams;
    endpoint members_list::ListMembers;
    endpoint members_invite::InviteMember;
    endpoint members_update_role::ChangeRole;
    endpoint members_remove::RemoveMember;
    endpoint members_leave::LeaveTeam;
    endpoint members_transfer_ownership::TransferTeam;
    endpoint invites_info::ReadInvitation;
    endpoint invites_accept::AcceptInvitation;
    endpoint invites_decline::DeclineInvitation;
    endpoint invites_resend::ResendInvitation;
    endpoint invites_revoke::CancelInvitation;
    endpoint enterprise_provision::ProvisionEnterprise;
}
