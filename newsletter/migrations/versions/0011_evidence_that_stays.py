"""Evidence of consent, and the wordings it names, are only ever added: the database itself refuses to change them

A table that SQLite makes anew (a batch) loses its triggers: whoever does that to one of these makes them again.
"""

from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

# All but the address of the network, which is cut after a while.
EVENT = 'id, subscription_id, kind, at, source, form, wording_hash, page, user_agent, message_id, note'
STAY = (('consent_events', EVENT), ('wordings', 'hash, text, first_used_at'))


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == 'sqlite'
    if not sqlite:
        op.execute(
            "CREATE FUNCTION only_ever_added() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% are only ever added', TG_TABLE_NAME; END $$"
        )
    for table, columns in STAY:
        act = f"BEGIN SELECT RAISE(ABORT, '{table} are only ever added'); END" if sqlite else 'EXECUTE FUNCTION only_ever_added()'
        op.execute(f'CREATE TRIGGER {table}_stay BEFORE UPDATE OF {columns} ON {table} FOR EACH ROW {act}')


def downgrade() -> None:
    raise NotImplementedError('restore the backup that was made before the upgrade')
