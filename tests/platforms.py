"""Subscriber files as other programs write them: small, with their real columns and words, and what is in them.

Each: name of the file, its content, the platform it is known by, and for each address what its row says.
"""

from __future__ import annotations

MAILCHIMP = (
    "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP"
)
FILES: list[tuple[str, str, str, dict[str, str]]] = [
    (
        "subscribed_members_export_1.csv",
        f"{MAILCHIMP},LAST_CHANGED,LEID,EUID,NOTES,TAGS\n"
        'a@example.com,Ana,Coach,2,2018-02-12 10:54:27,1.2.3.4,2018-02-12 10:55:00,1.2.3.5,2020-01-01 10:00:00,1,x,,"""Editors"",""Vip"""\n'
        "b@example.com,,,2,,,,,2020-01-01 10:00:00,2,y,,\n",
        "mailchimp",
        {"a@example.com": "yes", "b@example.com": "silent"},
    ),
    (
        "unsubscribed.csv",
        f"{MAILCHIMP},UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER,LEID,EUID,NOTES,TAGS\n"
        "a@example.com,,,2,2018-02-12 10:54:27,,2018-02-12 10:54:27,,2020-03-01 10:00:00,News,1,NORMAL,,1,x,,\n"
        "b@example.com,,,2,2018-02-12 10:54:27,,2018-02-12 10:54:27,,,,,,,2,y,,\n",
        "mailchimp",
        {"a@example.com": "no", "b@example.com": "no"},
    ),
    (
        "cleaned.csv",
        f"{MAILCHIMP},CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID,LEID,EUID,NOTES,TAGS\n"
        "a@example.com,,,1,2018-02-12 10:54:27,,2018-02-12 10:54:27,,2020-03-23 17:30:05,,,1,x,,\n",
        "mailchimp",
        {"a@example.com": "bounced"},
    ),
    (
        "nonsubscribed_email_audience_export_1.csv",
        f"{MAILCHIMP},LAST_CHANGED,LEID,EUID\na@example.com,,,2,2018-02-12 10:54:27,,,,2020-01-01 10:00:00,1,x\n",
        "mailchimp",
        {"a@example.com": "pending"},
    ),
    (
        "whoever-left.csv",
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON\n"
        "a@example.com,Ana,2,2018-02-12 10:54:27,News,NORMAL\nb@example.com,Bob,2,2018-02-12 10:54:27,,\n",
        "mailchimp",
        {"a@example.com": "no", "b@example.com": "no"},
    ),
    (
        "addresses-gone.csv",
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,CLEAN_CAMPAIGN_TITLE\na@example.com,Ana,1,2018-02-12 10:54:27,\n",
        "mailchimp",
        {"a@example.com": "bounced"},
    ),
    (
        "whole-audience.csv",
        f"{MAILCHIMP},UNSUB_TIME,CLEAN_TIME,LAST_CHANGED\n"
        "a@example.com,,,2,2018-02-12 10:54:27,,,,,,2020-01-01 10:00:00\n"
        "b@example.com,,,2,2018-02-12 10:54:27,,,,2019-02-12 10:54:27,,\n"
        "c@example.com,,,2,2018-02-12 10:54:27,,,,,2019-02-12 10:54:27,\n",
        "mailchimp",
        {"a@example.com": "yes", "b@example.com": "no", "c@example.com": "bounced"},
    ),
    (
        "substack-subscribers.csv",
        "Email,Name,Stripe plan,Cancel date,Start date,Paid upgrade date,Activity,Type,Subscription source (free)\n"
        "a@example.com,Ana,,,2025-01-01T00:00:00.000Z,,5,Free,substack-notes\n"
        "b@example.com,Bob,Monthly,2025-05-01T00:00:00.000Z,2025-02-01T00:00:00.000Z,,3,Paid,direct\n",
        "substack",
        {"a@example.com": "yes", "b@example.com": "yes"},
    ),
    (
        "mailpoet-fr.csv",
        "E-mail;Prénom;Nom;Statut de la liste;Statut global\n"
        "a@example.com;Ana;A;abonné;Abonné\nb@example.com;Bob;B;désabonné;abonné\n"
        "c@example.com;Cy;C;abonné;Non confirmé\nd@example.com;Di;D;abonné;rejeté\n",
        "mailpoet",
        {
            "a@example.com": "yes",
            "b@example.com": "no",
            "c@example.com": "pending",
            "d@example.com": "bounced",
        },
    ),
    (
        "email_list.slow.csv",
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
        "a@example.com,true,2027-07-06T16:20:44.000Z,annual,false,2018-08-27T15:06:27.713Z,\n"
        "b@example.com,false,,other,false,2018-08-27T15:06:27.713Z,\n"
        "c@example.com,true,2027-07-06T16:20:44.000Z,annual,true,2018-08-27T15:06:27.713Z,\n",
        "substack",
        {"a@example.com": "yes", "b@example.com": "yes", "c@example.com": "no"},
    ),
    (
        "members.csv",
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers,Email suppressed\n"
        "1,a@example.com,Ana,,true,false,,2022-03-13T13:36:31.230Z,,vip,,false\n"
        "2,b@example.com,Bob,,false,false,,2022-03-13T13:36:31.230Z,,,,false\n"
        "3,c@example.com,Cy,,true,false,,2022-03-13T13:36:31.230Z,,,,true\n"
        "4,d@example.com,Di,,true,false,,2022-03-13T13:36:31.230Z,2023-01-01T00:00:00.000Z,,,\n",
        "ghost",
        {
            "a@example.com": "yes",
            "b@example.com": "no",
            "c@example.com": "blocked",
            "d@example.com": "no",
        },
    ),
    (
        "subscribers.csv",
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        '1,a@example.com,Ana,"{""city"": ""Berlin"", ""n"": 1}",enabled,2022-03-13 13:36:31.2,2022-03-13 13:36:31.2\n'
        "2,b@example.com,Bob,{},disabled,2022-03-13 13:36:31.2,2022-03-13 13:36:31.2\n"
        "3,c@example.com,Cy,{},blocklisted,2022-03-13 13:36:31.2,2022-03-13 13:36:31.2\n",
        "listmonk",
        {"a@example.com": "silent", "b@example.com": "no", "c@example.com": "blocked"},
    ),
    (
        "listmonk-list.csv",
        "uuid,email,name,attributes,status,subscription_status,created_at\n"
        "1,a@example.com,Ana,{},enabled,confirmed,2022-03-13 13:36:31.2\n"
        "2,b@example.com,Bob,{},enabled,unconfirmed,2022-03-13 13:36:31.2\n"
        "3,c@example.com,Cy,{},enabled,unsubscribed,2022-03-13 13:36:31.2\n"
        "4,d@example.com,Di,{},blocklisted,confirmed,2022-03-13 13:36:31.2\n",
        "listmonk",
        {
            "a@example.com": "yes",
            "b@example.com": "pending",
            "c@example.com": "no",
            "d@example.com": "blocked",
        },
    ),
    (
        "mailpoet.csv",
        "Email,First name,Last name,List status,Global status,Subscribed on,Confirmed IP,List\n"
        "a@example.com,Ana,Coach,subscribed,subscribed,2021-01-02 03:04:05,1.2.3.4,Newsletter\n"
        "b@example.com,Bob,,unsubscribed,subscribed,2021-01-02 03:04:05,,Newsletter\n"
        "c@example.com,Cy,,subscribed,unconfirmed,,,Newsletter\n"
        "d@example.com,Di,,subscribed,bounced,,,Newsletter\n"
        "e@example.com,Ed,,subscribed,inactive,,,Newsletter\n",
        "mailpoet",
        {
            "a@example.com": "yes",
            "b@example.com": "no",
            "c@example.com": "pending",
            "d@example.com": "bounced",
            "e@example.com": "no",
        },
    ),
    (
        "beehiiv.csv",
        "email,First Name,Last Name,status,tier,created_at,stripe_customer_id,unsubscribed_at\n"
        "a@example.com, Ana ,,active,free,2023-03-24 10:23:10 UTC,,\n"
        "b@example.com,,,inactive,premium,2023-03-24 10:23:10 UTC,,2024-01-01 00:00:00 UTC\n"
        "c@example.com,,,validating,free,2023-03-24 10:23:10 UTC,,\n"
        "d@example.com,,,invalid,free,2023-03-24 10:23:10 UTC,,\n"
        "e@example.com,,,active,free,2023-03-24 10:23:10 UTC,,2024-01-01 00:00:00 UTC\n",
        "beehiiv",
        {
            "a@example.com": "yes",
            "b@example.com": "no",
            "c@example.com": "pending",
            "d@example.com": "bounced",
            "e@example.com": "no",
        },
    ),
    (
        "buttondown.csv",
        "email,notes,metadata,tags,referrer_url,source,creation_date,type\n"
        + "".join(
            f"{kind}@example.com,,{{}},,https://x.example,api,2023-03-24T10:23:10.123Z,{kind}\n"
            for kind in (
                "regular",
                "premium",
                "past_due",
                "unactivated",
                "unpaid",
                "unsubscribed",
                "removed",
                "complained",
                "undeliverable",
                "blocked",
                "spammy",
                "brandnew",
            )
        ),
        "buttondown",
        {
            "regular@example.com": "yes",
            "premium@example.com": "yes",
            "past_due@example.com": "yes",
            "unactivated@example.com": "pending",
            "unpaid@example.com": "pending",
            "unsubscribed@example.com": "no",
            "removed@example.com": "no",
            "complained@example.com": "complained",
            "undeliverable@example.com": "bounced",
            "blocked@example.com": "blocked",
            "spammy@example.com": "blocked",
            "brandnew@example.com": "unknown",
        },
    ),
    (
        "kit.csv",
        "email,first_name,state,created_at,tags\n"
        "a@example.com,Ana,active,2023-03-24T10:23:10Z,vip\n"
        "b@example.com,Bob,cancelled,2023-03-24T10:23:10Z,\n"
        "c@example.com,Cy,bounced,2023-03-24T10:23:10Z,\n"
        "d@example.com,Di,complained,2023-03-24T10:23:10Z,\n"
        "e@example.com,Ed,inactive,2023-03-24T10:23:10Z,\n",
        "kit",
        {
            "a@example.com": "yes",
            "b@example.com": "no",
            "c@example.com": "bounced",
            "d@example.com": "complained",
            "e@example.com": "pending",
        },
    ),
    (
        "curated.csv",
        "Email Address,Subscribed at,UTM Source,UTM Medium,UTM Term,UTM Content,UTM Campaign,UTM Last Path,UTM Referrer\n"
        'a@example.com,2021-02-04 07:55:20 +0000,"","","","","","",""\n',
        "curated",
        {"a@example.com": "yes"},
    ),
    (
        "keila.csv",
        "Email,First name,Last name,Data,Status,External ID\n"
        'a@example.com,Joël,Müller,"{""foo"":[1,2,3]}",active,1\nb@example.com,,,,unsubscribed,\nc@example.com,,,,unreachable,\n'
        "d@example.com,,,,,\n",
        "keila",
        {
            "a@example.com": "yes",
            "b@example.com": "no",
            "c@example.com": "bounced",
            "d@example.com": "silent",
        },
    ),
    (
        "mautic.csv",
        "id,firstname,lastname,email,points,dateIdentified,doNotContact\n"
        "1,Ana,Coach,a@example.com,3,2023-03-24 10:23:10,0\n2,Bob,,b@example.com,0,,1\n3,Cy,,c@example.com,0,,2\n"
        "4,Di,,d@example.com,0,,\n",
        "mautic",
        {
            "a@example.com": "silent",
            "b@example.com": "no",
            "c@example.com": "no",
            "d@example.com": "silent",
        },
    ),
    (
        "medium.txt",
        "a@example.com\nb@example.com\n\nc@example.com\n",
        "csv",
        {"a@example.com": "silent", "b@example.com": "silent", "c@example.com": "silent"},
    ),
    (
        "tinynews-1.csv",
        '"Channel id",Status,Tier,"Tier title",Tags,"Created at","Deleted at","Engagement OptIn",Email,Id,Name,Surname\n'
        '1234,1,0,default,,"2022-10-28 22:18:42",,1,a@example.com,456789,Lorem,Ipsum\n'
        '1234,4,0,default,"Multiple Tags,Example","2022-10-26 18:56:45",,1,b@example.com,1,Dolor,\n'
        '1234,1,0,default,,"2022-10-26 18:56:45","2023-10-26 18:56:45",1,c@example.com,1,Dolor,\n',
        "tinynews",
        {"a@example.com": "yes", "b@example.com": "no", "c@example.com": "no"},
    ),
    (
        "tinynews-2.csv",
        "email,First name,Last name,Date added,Last modified,status,clicks,opens\n"
        "a@example.com,Lorem,,2022-09-07T02:17:47.000Z,2022-10-05T12:58:20.000Z,Subscribed,0,0\n"
        "b@example.com,Dolor , Simet,2022-08-04T14:26:20.000Z,2022-08-04T14:36:53.000Z,Unsubscribed,0,39\n",
        "tinynews",
        {"a@example.com": "yes", "b@example.com": "no"},
    ),
    (
        "excel.csv",
        'sep=;\nName;E-Mail;Angemeldet\n"Jürgen ""Jo"" Ä";a@example.com;ja\nZoë;b@example.com;\n',
        "csv",
        {"a@example.com": "silent", "b@example.com": "silent"},
    ),
    (
        "hubspot-crm-exports-all-contacts.csv",
        "Record ID,First Name,Last Name,Email,Unsubscribed from all email,Email hard bounce reason,Invalid email address,"
        "Marketing emails bounced,Opted out of email: Marketing Information,Marketing contact status\n"
        "1,Ana,A,a@example.com,,,,,,Marketing contact\n2,Bob,B,b@example.com,true,,,,,Marketing contact\n"
        "3,Cy,C,c@example.com,false,UNKNOWN_USER,false,1,,Marketing contact\n4,Di,D,d@example.com,,,true,,,\n"
        "5,Ed,E,e@example.com,,,,,Yes,Non-marketing contact\n",
        "csv",
        {
            "a@example.com": "silent",
            "b@example.com": "no",
            "c@example.com": "bounced",
            "d@example.com": "bounced",
            "e@example.com": "no",
        },
    ),
    (
        "salesforce-contacts.csv",
        "Id,FirstName,LastName,Email,HasOptedOutOfEmail,HasOptedOutOfFax,DoNotCall,EmailBouncedReason,EmailBouncedDate,IsDeleted\n"
        "1,Ana,A,a@example.com,FALSE,TRUE,TRUE,,,FALSE\n2,Bob,B,b@example.com,TRUE,FALSE,FALSE,,,FALSE\n"
        "3,Cy,C,c@example.com,FALSE,FALSE,FALSE,550 no such user,2024-01-02T03:04:05.000Z,FALSE\n"
        "4,Di,D,d@example.com,FALSE,FALSE,FALSE,,,TRUE\n",
        "csv",
        {
            "a@example.com": "silent",
            "b@example.com": "no",
            "c@example.com": "bounced",
            "d@example.com": "no",
        },
    ),
    (
        "brevo.csv",
        "CONTACT ID;EMAIL;FIRSTNAME;EMAIL_BLACKLISTED;SMS_BLACKLISTED;WHATSAPP_BLACKLISTED;DOUBLE_OPT-IN;ADDED_TIME\n"
        "1;a@example.com;Ana;false;true;false;Yes;01-02-2023 03:04:05\n2;b@example.com;Bob;true;false;false;Yes;\n"
        "3;c@example.com;Cy;false;false;false;2;\n",
        "csv",
        {"a@example.com": "silent", "b@example.com": "blocked", "c@example.com": "pending"},
    ),
    (
        "klaviyo.csv",
        "Email,Klaviyo ID,First Name,Email Marketing Consent,SMS Marketing Consent,Email Suppressions,Email Suppressions Timestamp\n"
        "a@example.com,1,Ana,SUBSCRIBED,UNSUBSCRIBED,[],\nb@example.com,2,Bob,UNSUBSCRIBED,,[],\n"
        "c@example.com,3,Cy,SUBSCRIBED,,['HARD_BOUNCE'],2024-01-02 03:04:05\nd@example.com,4,Di,NEVER_SUBSCRIBED,,,\n",
        "csv",
        {
            "a@example.com": "silent",
            "b@example.com": "no",
            "c@example.com": "blocked",
            "d@example.com": "no",
        },
    ),
    (
        "mailerlite.csv",
        "Subscriber,Status,Sent,Opens,Clicks,Subscribed,Unsubscribed,Name\n"
        "a@example.com,active,3,1,0,2023-01-02 03:04:05,,Ana\nb@example.com,unsubscribed,3,1,0,2023-01-02 03:04:05,2024-01-02,Bob\n"
        "c@example.com,junk,3,0,0,2023-01-02 03:04:05,,Cy\n",
        "csv",
        {"a@example.com": "yes", "b@example.com": "no", "c@example.com": "complained"},
    ),
    (
        "activecampaign.csv",
        "Email,First Name,Date Created,Bounced (hard),Bounced (soft),Status,Unsubscribe Date,Unsubscribe Reason,Lists\n"
        "a@example.com,Ana,2023-01-02,0,0,Active,,,News\nb@example.com,Bob,2023-01-02,0,0,Unsubscribed,2024-01-02,none of it,News\n"
        "c@example.com,Cy,2023-01-02,1,0,Active,,,News\nd@example.com,Di,2023-01-02,0,0,Unconfirmed,,,News\n",
        "csv",
        {
            "a@example.com": "silent",
            "b@example.com": "no",
            "c@example.com": "bounced",
            "d@example.com": "pending",
        },
    ),
    (
        "constant-contact.csv",
        "Email address - main,First name,Email permission status - other,Email update source,Confirmed Opt-Out Date,Confirmed Opt-Out Reason\n"
        "a@example.com,Ana,Express,Imported,,\nb@example.com,Bob,Implicit,Imported,01/02/2024 03:04 PM,too many\n"
        "c@example.com,Cy,Unsubscribed,Imported,,\n",
        "csv",
        {"a@example.com": "silent", "b@example.com": "no", "c@example.com": "no"},
    ),
    (
        "aweber.csv",
        "Email,Name,Status,Date Added,Stop Time,Stop Status,IP Address\n"
        "a@example.com,Ana,Subscribed,2023-01-02 03:04:05,,,1.2.3.4\nb@example.com,Bob,Unsubscribed,2023-01-02,2024-01-02,unsubscribed,\n"
        "c@example.com,Cy,Subscribed,2023-01-02,2024-01-02 03:04:05,bounced,\n",
        "csv",
        {"a@example.com": "yes", "b@example.com": "no", "c@example.com": "bounced"},
    ),
    (
        "removed-getresponse.csv",
        "email,name,created on,unsubscribe date,reason\na@example.com,Ana,2023-01-02,2024-01-02,by link\n",
        "csv",
        {"a@example.com": "no"},
    ),
]
