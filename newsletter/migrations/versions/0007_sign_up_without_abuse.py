"""Sign-up without abuse: wordings, the author's fields, how often an address was asked, asking for permission again"""

import hashlib

from alembic import op
import sqlalchemy as sa


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

HELD = sa.text("mail = 'confirm' AND due_at IS NULL AND status = 'queued'")


def upgrade() -> None:
    op.create_table('wordings',
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('first_used_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('hash', name=op.f('pk_wordings'))
    )
    op.create_table('askings',
    sa.Column('email_hash', sa.String(length=64), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('email_hash', name=op.f('pk_askings'))
    )
    op.create_index(op.f('ix_askings_last_at'), 'askings', ['last_at'], unique=False)
    op.create_table('form_fields',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('list_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('choices', sa.JSON(), nullable=False),
    sa.Column('required', sa.Boolean(), nullable=False),
    sa.CheckConstraint("kind IN ('text', 'choice', 'checkbox', 'consent')", name=op.f('ck_form_fields_kind')),
    sa.ForeignKeyConstraint(['list_id'], ['mailing_lists.id'], name=op.f('fk_form_fields_list_id_mailing_lists'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_form_fields')),
    sa.UniqueConstraint('list_id', 'name', name=op.f('uq_form_fields_list_id_name'))
    )
    op.add_column('mailing_lists', sa.Column('flood_told_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('subscriptions', sa.Column('withheld', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('subscriptions', sa.Column('answers', sa.JSON(), server_default='{}', nullable=False))
    op.execute('ALTER TABLE subscriptions DROP COLUMN confirmations')  # a batch would make the table anew
    op.create_index('ix_deliveries_held', 'deliveries', ['id'], sqlite_where=HELD, postgresql_where=HELD)
    _events()
    _campaigns()


def _events() -> None:
    """The wording moves out of the event into a table of its own."""
    with op.batch_alter_table('consent_events', table_kwargs={'sqlite_autoincrement': True}) as batch:
        batch.add_column(sa.Column('form', sa.String(length=40), server_default='', nullable=False))
        batch.add_column(sa.Column('message_id', sa.String(length=300), server_default='', nullable=False))
        batch.add_column(sa.Column('wording_hash', sa.String(length=64), nullable=True))
        batch.alter_column('ip', type_=sa.String(length=50))
        batch.create_foreign_key(op.f('fk_consent_events_wording_hash_wordings'), 'wordings', ['wording_hash'], ['hash'])
    connection = op.get_bind()
    events = sa.table('consent_events', sa.column('id'), sa.column('kind'), sa.column('wording'), sa.column('note'),
                      sa.column('wording_hash'), sa.column('at', sa.DateTime(timezone=True)))
    wordings = sa.table('wordings', sa.column('hash'), sa.column('text'), sa.column('first_used_at', sa.DateTime(timezone=True)))
    connection.execute(sa.update(events).where(events.c.kind == 'changed').values(note=events.c.wording, wording=''))
    used = sa.select(events.c.wording, sa.func.min(events.c.at, type_=sa.DateTime(timezone=True))).group_by(events.c.wording)
    for text, first in connection.execute(used.where(events.c.wording != '')).all():
        digest = hashlib.sha256(text.encode()).hexdigest()
        connection.execute(sa.insert(wordings).values(hash=digest, text=text, first_used_at=first))
        connection.execute(sa.update(events).where(events.c.wording == text).values(wording_hash=digest))
    op.execute('ALTER TABLE consent_events DROP COLUMN wording')


def _campaigns() -> None:
    with op.batch_alter_table('campaigns', table_kwargs={'sqlite_autoincrement': True}) as batch:
        batch.add_column(sa.Column('answer_by', sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True))
        batch.drop_constraint(op.f('ck_campaigns_kind'), type_='check')
        batch.create_check_constraint(op.f('ck_campaigns_kind'), "kind IN ('digest', 'letter', 'permission')")


def downgrade() -> None:
    raise NotImplementedError('restore the backup that was made before the upgrade')
